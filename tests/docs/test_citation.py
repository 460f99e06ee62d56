"""CITATION.cff against the fields of the Citation File Format 1.2.0, and the workflow against what CI runs."""

from __future__ import annotations

from importlib.metadata import version

import yaml

from .blocks import ROOT

# https://github.com/citation-file-format/citation-file-format/blob/1.2.0/schema.json
REQUIRED = {"authors", "cff-version", "message", "title"}
OPTIONAL = {"abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license"}
OPTIONAL |= {"license-url", "preferred-citation", "references", "repository", "repository-artifact"}
OPTIONAL |= {"repository-code", "type", "url", "version"}
ENTITY = {"address", "alias", "city", "country", "date-end", "date-start", "email", "fax", "location", "name", "orcid"}
ENTITY |= {"post-code", "region", "tel", "website"}
PERSON = {"address", "affiliation", "alias", "city", "country", "email", "family-names", "fax", "given-names"}
PERSON |= {"name-particle", "name-suffix", "orcid", "post-code", "region", "tel", "website"}


def test_the_citation_has_the_fields_of_its_format():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert set(cited) >= REQUIRED and set(cited) <= REQUIRED | OPTIONAL
    assert cited["cff-version"] == "1.2.0" and cited["type"] in ("software", "dataset")
    assert cited["authors"] and all(set(one) <= ENTITY or set(one) <= PERSON for one in cited["authors"])
    assert cited["license"] == "Apache-2.0" and all(isinstance(word, str) for word in cited["keywords"])
    assert str(cited["version"]) == version("ganvas")


def test_the_workflow_runs_what_ci_runs():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step] == [".ci/run"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
