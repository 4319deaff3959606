"""Serves the articles with FastAPI, without change or with a bug: `fast.py BUG`. Prints its port."""

from __future__ import annotations

import socket
import sys
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import uvicorn
from fastapi import FastAPI, Query
from pydantic import AwareDatetime, BaseModel

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from dialects import STATUSES, articles

BUG = sys.argv[1] if len(sys.argv) > 1 else ""
Status = Enum("Status", {each: each for each in STATUSES}, type=str)


class ArticleModel(BaseModel):
    id: int
    title: str
    created: datetime
    words: int | None
    status: Status
    tags: list[str]
    author: str | None


ITEMS = [ArticleModel(**each) for each in articles(47)]
app = FastAPI()


@app.get("/articles")
def list_articles(
    skip: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=20)] = 10,
    order_by: Literal["created", "words", "status"] | None = None,
    descending: bool = False,
    status: Status | None = None,
    tag: Annotated[list[str] | None, Query()] = None,
    min_words: int | None = None,
    max_words: int | None = None,
    q: str | None = None,
    created_after: AwareDatetime | None = None,
) -> list[ArticleModel]:
    found = [
        each
        for each in sorted(ITEMS, key=lambda each: each.id)
        if (status is None or each.status is status)
        and (tag is None or (each.tags[:1] == tag if BUG == "first tag only" else set(each.tags) & set(tag)))
        and (min_words is None or (each.words is not None and each.words >= min_words))
        and (max_words is None or (each.words or 0) <= max_words if BUG == "null is zero" else
             max_words is None or (each.words is not None and each.words <= max_words))
        and (q is None or (q in each.title if BUG == "case matters" else q.lower() in each.title.lower()))
        and (created_after is None or each.created > created_after)
    ]  # fmt: skip
    if order_by is not None:
        known = [each for each in found if getattr(each, order_by) is not None]
        unknown = [each for each in found if getattr(each, order_by) is None]

        def rank(each: ArticleModel) -> object:
            value = getattr(each, order_by)
            return STATUSES.index(value.value) if isinstance(value, Status) else value

        known.sort(key=rank, reverse=descending)
        found = known + unknown
    start = skip + 1 if BUG == "skips one more" and skip else skip
    return found[start : start + limit]


if __name__ == "__main__":
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # so that a connection waits until the server accepts it
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_keep_alive=120)).run(sockets=[listener])
