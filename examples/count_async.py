"""Counts the jobs in several states with concurrent requests."""

import asyncio

from metastudio import AsyncMetaStudio


async def main() -> None:
    async with AsyncMetaStudio() as studio:

        async def count(state: str) -> int:
            page = await studio.training_jobs.list(limit=1, state=[state])
            return page.count

        states = ["TRAINING", "TRAIN_FAILED", "JOB_SUCCESS", "JOB_FINISH"]
        for state, number in zip(states, await asyncio.gather(*map(count, states)), strict=True):
            print(f"{number:>5}  {state}")

        newest = [job async for job in studio.training_jobs.iterate(max_items=250)]
        print(f"{len(newest):>5}  fetched, with concurrent page requests")


asyncio.run(main())
