"""What the generated code does not show of the contract, for those who interpret it."""

from typing import Any

TITLE = "MetaStudio training jobs"
VERSION = "1.0.0"
SERVER: dict[str, Any] = {"url": "https://metastudio.{region}.myhuaweicloud.com", "variables": {"region": "cn-north-4"}}
OPERATIONS: dict[str, Any] = {
    "list_training_jobs": {
        "tag": "training_jobs",
        "method": "GET",
        "path": "/v1/{project_id}/digital-human-training-manage/user/jobs",
        "summary": "List training tasks",
        "description": "Returns one page of the training tasks "
        "of a project that pass every filter "
        "given, and how many there are in all. "
        "The order is stated only when "
        "`sort_key` is given.",
        "response_class": "ListTrainingJobsResponse",
        "item_class": "TrainingJobBasicInfo",
        "parameters": [
            {
                "name": "project_id",
                "python_name": "project_id",
                "location": "path",
                "required": True,
                "description": "ID of the project whose tasks are listed.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9_-]+$"},
                "values": (),
                "closed": False,
                "joined": False,
            },
            {
                "name": "offset",
                "python_name": "offset",
                "location": "query",
                "required": False,
                "description": "Number of tasks to skip, counted from 0.",
                "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 2147483647},
                "values": (),
                "closed": False,
                "joined": False,
            },
            {
                "name": "limit",
                "python_name": "limit",
                "location": "query",
                "required": False,
                "description": "Number of tasks on a page.",
                "schema": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 100},
                "values": (),
                "closed": False,
                "joined": False,
            },
            {
                "name": "sort_key",
                "python_name": "sort_key",
                "location": "query",
                "required": False,
                "description": "Property to order by. "
                "The page supports only "
                "`create_time`; newer "
                "servers know more, so "
                "that the set is open.",
                "schema": {
                    "anyOf": [
                        {"type": "string", "enum": ["create_time"]},
                        {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[a-z][a-z0-9_]*$"},
                    ]
                },
                "values": ("create_time",),
                "closed": False,
                "joined": False,
            },
            {
                "name": "sort_dir",
                "python_name": "sort_dir",
                "location": "query",
                "required": False,
                "description": "Direction of the "
                "order. Ascending when "
                "absent; without "
                "`sort_key` it means "
                "nothing certain.",
                "schema": {"type": "string", "enum": ["asc", "desc"]},
                "values": ("asc", "desc"),
                "closed": True,
                "joined": False,
            },
            {
                "name": "create_until",
                "python_name": "create_until",
                "location": "query",
                "required": False,
                "description": "Keep tasks created at this time or earlier.",
                "schema": {
                    "type": "string",
                    "format": "date-time",
                    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$",
                },
                "values": (),
                "closed": False,
                "joined": False,
            },
            {
                "name": "create_since",
                "python_name": "create_since",
                "location": "query",
                "required": False,
                "description": "Keep tasks created at this time or later.",
                "schema": {
                    "type": "string",
                    "format": "date-time",
                    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$",
                },
                "values": (),
                "closed": False,
                "joined": False,
            },
            {
                "name": "state",
                "python_name": "state",
                "location": "query",
                "required": False,
                "description": "Keep tasks in any of "
                "these states; all "
                "states when absent. "
                "Goes out as one value "
                "joined with commas. "
                "States that are not "
                "listed may be asked "
                "for.",
                "schema": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 100,
                    "items": {
                        "anyOf": [
                            {
                                "type": "string",
                                "enum": [
                                    "WAIT_FILE_UPLOAD",
                                    "AUTO_VERIFYING",
                                    "AUTO_VERIFY_FAILED",
                                    "MANUAL_VERIFYING",
                                    "MANUAL_VERIFY_FAILED",
                                    "MANUAL_VERIFY_SUCCESS",
                                    "TRAINING_DATA_PREPROCESSING",
                                    "TRAINING_DATA_PREPROCESS_FAILED",
                                    "TRAINING_DATA_PREPROCESS_SUCCESS",
                                    "TRAINING",
                                    "TRAIN_FAILED",
                                    "TRAIN_SUCCESS",
                                    "INFERENCE_DATA_PREPROCESSING",
                                    "INFERENCE_DATA_PREPROCESS_FAILED",
                                    "WAIT_MAIN_FILE_UPLOAD",
                                    "JOB_SUCCESS",
                                    "WAIT_USER_CONFIRM",
                                    "JOB_REJECT",
                                    "JOB_PENDING",
                                    "JOB_FINISH",
                                ],
                            },
                            {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Z][A-Z0-9_]*$"},
                        ]
                    },
                },
                "values": (
                    "WAIT_FILE_UPLOAD",
                    "AUTO_VERIFYING",
                    "AUTO_VERIFY_FAILED",
                    "MANUAL_VERIFYING",
                    "MANUAL_VERIFY_FAILED",
                    "MANUAL_VERIFY_SUCCESS",
                    "TRAINING_DATA_PREPROCESSING",
                    "TRAINING_DATA_PREPROCESS_FAILED",
                    "TRAINING_DATA_PREPROCESS_SUCCESS",
                    "TRAINING",
                    "TRAIN_FAILED",
                    "TRAIN_SUCCESS",
                    "INFERENCE_DATA_PREPROCESSING",
                    "INFERENCE_DATA_PREPROCESS_FAILED",
                    "WAIT_MAIN_FILE_UPLOAD",
                    "JOB_SUCCESS",
                    "WAIT_USER_CONFIRM",
                    "JOB_REJECT",
                    "JOB_PENDING",
                    "JOB_FINISH",
                ),
                "closed": False,
                "joined": True,
            },
            {
                "name": "query_project_id",
                "python_name": "query_project_id",
                "location": "query",
                "required": False,
                "description": "Tenant to query, as "
                "the page says without "
                "telling whether it "
                "names a project or an "
                "account, or how it "
                "relates to the project "
                "of the path.",
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 64,
                    "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
                },
                "values": (),
                "closed": False,
                "joined": False,
            },
            {
                "name": "batch_name",
                "python_name": "batch_name",
                "location": "query",
                "required": False,
                "description": "Keep tasks of the batch with this name.",
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 64,
                    "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
                },
                "values": (),
                "closed": False,
                "joined": False,
            },
            {
                "name": "tag",
                "python_name": "tag",
                "location": "query",
                "required": False,
                "description": "Keep tasks that carry "
                "this tag. One whole "
                "tag is compared "
                "(decided; the page "
                "does not say).",
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 64,
                    "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
                },
                "values": (),
                "closed": False,
                "joined": False,
            },
            {
                "name": "job_id",
                "python_name": "job_id",
                "location": "query",
                "required": False,
                "description": "Keep the task with this ID.",
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 64,
                    "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
                },
                "values": (),
                "closed": False,
                "joined": False,
            },
            {
                "name": "name",
                "python_name": "name",
                "location": "query",
                "required": False,
                "description": "Keep tasks whose model "
                "has this name. The "
                "page does not say "
                "whether part of a name "
                "is enough.",
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 64,
                    "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
                },
                "values": (),
                "closed": False,
                "joined": False,
            },
            {
                "name": "model_resolution",
                "python_name": "model_resolution",
                "location": "query",
                "required": False,
                "description": "Keep tasks whose model has this resolution.",
                "schema": {
                    "anyOf": [
                        {"type": "string", "enum": ["1080P", "4K"]},
                        {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$"},
                    ]
                },
                "values": ("1080P", "4K"),
                "closed": False,
                "joined": False,
            },
            {
                "name": "X-App-UserId",
                "python_name": "x_app_user_id",
                "location": "header",
                "required": False,
                "description": "ID that an application "
                "gives its own user, "
                "kept with the tasks "
                "this user creates. No "
                "Chinese characters "
                "(decided: visible "
                "ASCII characters, "
                "blanks only inside).",
                "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]([ -~]*[!-~])?$"},
                "values": (),
                "closed": False,
                "joined": False,
            },
        ],
        "success": {
            200: {
                "type": "object",
                "required": ["count", "jobs"],
                "properties": {
                    "jobs": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["job_id", "name", "state", "project_id", "create_time"],
                            "properties": {"tags": {"type": "array", "nullable": True}},
                        },
                    }
                },
            }
        },
        "fields": {
            "job_id": {"description": "ID of the task.", "type": "string", "format": None, "values": ()},
            "name": {
                "description": "Name of the model; the asset library shows it under this name.",
                "type": "string",
                "format": None,
                "values": (),
            },
            "state": {
                "description": "Where the task stands.",
                "type": "string",
                "format": None,
                "values": (
                    "WAIT_FILE_UPLOAD",
                    "AUTO_VERIFYING",
                    "AUTO_VERIFY_FAILED",
                    "MANUAL_VERIFYING",
                    "MANUAL_VERIFY_FAILED",
                    "MANUAL_VERIFY_SUCCESS",
                    "TRAINING_DATA_PREPROCESSING",
                    "TRAINING_DATA_PREPROCESS_FAILED",
                    "TRAINING_DATA_PREPROCESS_SUCCESS",
                    "TRAINING",
                    "TRAIN_FAILED",
                    "TRAIN_SUCCESS",
                    "INFERENCE_DATA_PREPROCESSING",
                    "INFERENCE_DATA_PREPROCESS_FAILED",
                    "WAIT_MAIN_FILE_UPLOAD",
                    "JOB_SUCCESS",
                    "WAIT_USER_CONFIRM",
                    "JOB_REJECT",
                    "JOB_PENDING",
                    "JOB_FINISH",
                ),
            },
            "asset_id": {
                "description": "ID of the model as an asset. Failed tasks can have one too.",
                "type": "string",
                "format": None,
                "values": (),
            },
            "project_id": {
                "description": "ID of the "
                "project that "
                "owns the "
                "model. "
                "Without a "
                "pattern, as "
                "the page's "
                "example "
                "masks it "
                "(decided).",
                "type": "string",
                "format": None,
                "values": (),
            },
            "cover_download_url": {
                "description": "Where to download the thumbnail. Valid for 24 hours and secret while it is.",
                "type": "string",
                "format": "uri",
                "values": (),
            },
            "last_update_time": {
                "description": "When a "
                "user "
                "last "
                "changed "
                "the "
                "task, "
                "by "
                "creating "
                "or "
                "resubmitting "
                "it; a "
                "change "
                "of "
                "state "
                "does "
                "not "
                "move "
                "it. "
                "RFC "
                "3339.",
                "type": "string",
                "format": "date-time",
                "values": (),
            },
            "create_time": {
                "description": "When the task was created. RFC 3339.",
                "type": "string",
                "format": "date-time",
                "values": (),
            },
            "contact": {
                "description": "How to reach "
                "the task's "
                "creator, a "
                "phone number or "
                "an email "
                "address, "
                "perhaps masked. "
                "Personal data.",
                "type": "string",
                "format": None,
                "values": (),
            },
            "batch_name": {
                "description": "Name of the batch that the task belongs to.",
                "type": "string",
                "format": None,
                "values": (),
            },
            "tags": {"description": "Tags of the task.", "type": "array", "format": None, "values": ()},
            "model_version": {
                "description": "Version of the model. V3 by default.",
                "type": "string",
                "format": None,
                "values": ("V2", "V3", "V3.2"),
            },
            "matting_type": {
                "description": "How the background is cut out. AI by default.",
                "type": "string",
                "format": None,
                "values": ("AI", "MANUAL"),
            },
            "model_resolution": {
                "description": "Resolution "
                "of the "
                "model. "
                "1080P "
                "by "
                "default "
                "(decided; "
                "the "
                "page "
                "writes "
                "the "
                "default "
                "1080p).",
                "type": "string",
                "format": None,
                "values": ("1080P", "4K"),
            },
            "app_user_id": {
                "description": "The X-App-UserId with which the task was created.",
                "type": "string",
                "format": None,
                "values": (),
            },
        },
        "state_property": "/state",
        "states": {
            "WAIT_FILE_UPLOAD": {"phase": "waiting", "at_rest": True, "x-source": "decision"},
            "AUTO_VERIFYING": {"phase": "review", "at_rest": False, "x-source": "decision"},
            "AUTO_VERIFY_FAILED": {"phase": "failed", "at_rest": True, "ended": "failure", "x-source": "decision"},
            "MANUAL_VERIFYING": {"phase": "review", "at_rest": False, "x-source": "decision"},
            "MANUAL_VERIFY_FAILED": {"phase": "failed", "at_rest": True, "ended": "failure", "x-source": "decision"},
            "MANUAL_VERIFY_SUCCESS": {"phase": "training", "at_rest": False, "x-source": "decision"},
            "TRAINING_DATA_PREPROCESSING": {"phase": "training", "at_rest": False, "x-source": "decision"},
            "TRAINING_DATA_PREPROCESS_FAILED": {"phase": "failed", "at_rest": False, "x-source": "decision"},
            "TRAINING_DATA_PREPROCESS_SUCCESS": {"phase": "training", "at_rest": False, "x-source": "decision"},
            "TRAINING": {"phase": "training", "at_rest": False, "x-source": "decision"},
            "TRAIN_FAILED": {"phase": "failed", "at_rest": False, "x-source": "decision"},
            "TRAIN_SUCCESS": {"phase": "training", "at_rest": False, "x-source": "decision"},
            "INFERENCE_DATA_PREPROCESSING": {"phase": "training", "at_rest": False, "x-source": "decision"},
            "INFERENCE_DATA_PREPROCESS_FAILED": {"phase": "failed", "at_rest": False, "x-source": "decision"},
            "WAIT_MAIN_FILE_UPLOAD": {"phase": "waiting", "at_rest": True, "x-source": "decision"},
            "JOB_SUCCESS": {"phase": "done", "at_rest": True, "ended": "success", "x-source": "decision"},
            "WAIT_USER_CONFIRM": {"phase": "waiting", "at_rest": True, "x-source": "decision"},
            "JOB_REJECT": {"phase": "failed", "at_rest": True, "ended": "failure", "x-source": "decision"},
            "JOB_PENDING": {"phase": "training", "at_rest": False, "x-source": "decision"},
            "JOB_FINISH": {"phase": "done", "at_rest": True, "ended": "success"},
        },
        "x-list": {
            "items": "/jobs",
            "total": "/count",
            "identity": "/job_id",
            "scope": {"project_id": "/project_id"},
            "page": {"style": "offset", "offset": "offset", "limit": "limit"},
            "order": {
                "key": {"parameter": "sort_key", "values": {"create_time": "/create_time"}},
                "direction": {"parameter": "sort_dir", "asc": "asc", "desc": "desc", "default": "asc"},
                "without_key": "unstated",
            },
            "filters": {
                "create_until": {"property": "/create_time", "op": "le"},
                "create_since": {"property": "/create_time", "op": "ge"},
                "state": {"property": "/state", "op": "eq"},
                "query_project_id": {"op": "unstated"},
                "batch_name": {"property": "/batch_name", "op": "eq"},
                "tag": {"property": "/tags/*", "op": "eq", "x-source": "decision"},
                "job_id": {"property": "/job_id", "op": "eq"},
                "name": {"property": "/name", "op": "unstated", "sandbox": "eq"},
                "model_resolution": {"property": "/model_resolution", "op": "eq"},
            },
        },
    }
}
