"""Result of a comparison: the scores of several sources, their differences, and the leaderboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, final

import pandas as pd

from ganvas.api.results import Scores


@final
class Compared(Mapping[str, Scores]):
    """Scores by source, without sources that failed; ``result`` is the content of ``result.json``."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = dict(result)
        self.output = Path(result["output"])
        self.failed: dict[str, str] = result["failed"]
        self.page = Path(result["page"]) if "page" in result else None
        self._scores = {name: Scores(found) for name, found in result["results"].items()}

    def __getitem__(self, source: str) -> Scores:
        return self._scores[source]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    @property
    def differences(self) -> pd.DataFrame:
        """Table with a row for each difference: its interval, p-value, verdict, and what would settle it."""
        return pd.DataFrame(self.result["differences"])

    @property
    def leaderboard(self) -> pd.DataFrame:
        """Table with a row for each source, the best first; empty for two sources without ``table=True``."""
        return pd.DataFrame(self.result.get("leaderboard", []))

    @property
    def conclusion(self) -> tuple[str, ...]:
        """The sentences at the top of the page; empty for two sources without ``table=True``."""
        return tuple(self.result.get("conclusion", ()))

    def _repr_html_(self) -> str:
        return (self.differences if self.page is None else self.leaderboard).to_html()
