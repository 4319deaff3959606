from enum import StrEnum


class TrainingJobState(StrEnum):
    """State of a training task. Servers may send other states than these.

    - WAIT_FILE_UPLOAD: the files are still to be uploaded.
    - AUTO_VERIFYING: the automatic review runs.
    - AUTO_VERIFY_FAILED: the automatic review refused the task.
    - MANUAL_VERIFYING: people review the task.
    - MANUAL_VERIFY_FAILED: the reviewers refused the task.
    - MANUAL_VERIFY_SUCCESS: approved; waits for resources to prepare its data.
    - TRAINING_DATA_PREPROCESSING: the training data is being prepared.
    - TRAINING_DATA_PREPROCESS_FAILED: preparing the training data failed.
    - TRAINING_DATA_PREPROCESS_SUCCESS: the training data is prepared; waits for resources to train.
    - TRAINING: the model is being trained.
    - TRAIN_FAILED: the training failed.
    - TRAIN_SUCCESS: trained; waits for resources to prepare the inference data.
    - INFERENCE_DATA_PREPROCESSING: the inference data is being prepared.
    - INFERENCE_DATA_PREPROCESS_FAILED: preparing the inference data failed.
    - WAIT_MAIN_FILE_UPLOAD: the main file is still to be uploaded.
    - JOB_SUCCESS: the task succeeded.
    - WAIT_USER_CONFIRM: the user has yet to confirm the result.
    - JOB_REJECT: the task was rejected.
    - JOB_PENDING: the task is suspended.
    - JOB_FINISH: the task is closed and cannot change any more."""

    AUTO_VERIFYING = "AUTO_VERIFYING"
    AUTO_VERIFY_FAILED = "AUTO_VERIFY_FAILED"
    INFERENCE_DATA_PREPROCESSING = "INFERENCE_DATA_PREPROCESSING"
    INFERENCE_DATA_PREPROCESS_FAILED = "INFERENCE_DATA_PREPROCESS_FAILED"
    JOB_FINISH = "JOB_FINISH"
    JOB_PENDING = "JOB_PENDING"
    JOB_REJECT = "JOB_REJECT"
    JOB_SUCCESS = "JOB_SUCCESS"
    MANUAL_VERIFYING = "MANUAL_VERIFYING"
    MANUAL_VERIFY_FAILED = "MANUAL_VERIFY_FAILED"
    MANUAL_VERIFY_SUCCESS = "MANUAL_VERIFY_SUCCESS"
    TRAINING = "TRAINING"
    TRAINING_DATA_PREPROCESSING = "TRAINING_DATA_PREPROCESSING"
    TRAINING_DATA_PREPROCESS_FAILED = "TRAINING_DATA_PREPROCESS_FAILED"
    TRAINING_DATA_PREPROCESS_SUCCESS = "TRAINING_DATA_PREPROCESS_SUCCESS"
    TRAIN_FAILED = "TRAIN_FAILED"
    TRAIN_SUCCESS = "TRAIN_SUCCESS"
    WAIT_FILE_UPLOAD = "WAIT_FILE_UPLOAD"
    WAIT_MAIN_FILE_UPLOAD = "WAIT_MAIN_FILE_UPLOAD"
    WAIT_USER_CONFIRM = "WAIT_USER_CONFIRM"

    def __str__(self) -> str:
        return str(self.value)
