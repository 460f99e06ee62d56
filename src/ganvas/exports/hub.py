"""Uploading an exported folder to the Hugging Face hub."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ganvas.config import ConfigError


def require_hub(name: str) -> None:
    """Refuse an upload that cannot work, before anything is exported.

    Args:
        name: repository on the hub, ``OWNER/NAME``.

    Raises:
        ConfigError: the name is not of this form, or huggingface_hub is not installed.
    """
    owner, slash, repository = name.partition("/")
    if not (owner and slash and repository) or "/" in repository:
        raise ConfigError(f"push={name}: expected a repository of the hub; write --push OWNER/NAME")
    if find_spec("huggingface_hub") is None:
        raise ConfigError(f"push={name}: huggingface_hub is not installed; pip install huggingface_hub")


def push(folder: Path, name: str, files: list[str]) -> str:
    """Upload the files of a folder as one commit; the repository is created, private, if it does not exist.

    Args:
        folder: the exported folder.
        name: repository on the hub, ``OWNER/NAME``.
        files: names of the files to upload.

    Returns:
        The address of the repository.
    """
    from huggingface_hub import HfApi

    api = HfApi()  # takes the token of `hf auth login`, or HF_TOKEN
    address = api.create_repo(name, repo_type="model", private=True, exist_ok=True)
    api.upload_folder(
        repo_id=name,
        repo_type="model",
        folder_path=str(folder),
        allow_patterns=files,
        commit_message="Export of ganvas",
    )
    return str(address)
