"""What a store holds of a run, in a form that two runs of the same training can be compared by."""

from mlflow.tracking import MlflowClient

from ganvas.tracking.store import tracking_uri


def numbers(run_id):
    """Steps and values by key; of what the clock gives only the steps.

    The cost is the sum over all processes so far; one that is killed just before its end has logged its own part.
    """
    client = MlflowClient(tracking_uri())
    found = {}
    for key in client.get_run(run_id).data.metrics:
        points = sorted((m.step, m.value) for m in client.get_metric_history(run_id, key))
        if key.startswith("cost/"):
            points = sorted({step for step, _ in points})
        elif key.endswith("images_per_second"):
            points = [step for step, _ in points]
        found[key] = points
    return found


def pictures(run_id):
    """Names of the pictures, without the times at which they were made."""
    return sorted(f.path.split("+timestamp")[0] for f in MlflowClient(tracking_uri()).list_artifacts(run_id, "images"))


def history(run_id):
    """Numbers and pictures."""
    return numbers(run_id), pictures(run_id)
