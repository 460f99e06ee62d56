"""Prints where MLflow's UI shows a run or a study, at its end."""

from __future__ import annotations

from rich.console import Console


def print_views(run_id: str, console: Console, study: str = "") -> None:
    """Print the addresses of the saved views that show a run; nothing if the store cannot tell.

    Args:
        run_id: MLflow's id of the run; empty for a run without a store.
        console: prints the addresses.
        study: name of the run's study; empty without one.
    """
    from ganvas.tracking.addresses import has_server, of_run  # loads MLflow

    try:
        found = of_run(run_id, study)
    except Exception:  # the results are written, and the end of a run has told what the store lacks
        return
    console.print(f"In MLflow{'' if has_server() else ' (while `ganvas ui` runs)'}:", highlight=False)
    for name, url in found.items():
        console.print(f"  {name}: {url}", soft_wrap=True, markup=False, highlight=False)
