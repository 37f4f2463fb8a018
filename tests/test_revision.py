"""Test revision, to read files as they were at a revision, and to have nothing of the checkout run by that."""

import os
import stat
from pathlib import Path

import pytest

from smoadsl.diagnostics.source import Source
from smoadsl.language.load import Refused
from smoadsl.tools.revision import Revision, RevisionError
from tests.repositories import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repo")
    made.commit(p_moa='import "lib/models.moa"\n', lib__models_moa="# models, first\n")
    return made


def revision(repository: Repository, name: str = "HEAD", file: str = "p.moa") -> Revision:
    return Revision(name, str(repository.folder / file))


def text_of(one: Revision) -> str:
    read = one.source()
    assert read.value is not None
    return read.value.text


def test_a_file_as_it_was(repository: Repository) -> None:
    repository.commit(p_moa="# second\n")
    repository.write(p_moa="# not committed\n")
    assert text_of(revision(repository)) == "# second\n"
    assert text_of(revision(repository, "HEAD~1")) == 'import "lib/models.moa"\n'
    assert text_of(revision(repository, "main")) == "# second\n"


def test_tags_branches_and_short_ids_name_commits(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "--annotate", "v1", "--message", "one")
    repository.git("branch", "feature/x")
    repository.commit(p_moa="# second\n")
    for name in (first[:10], "v1", "feature/x", "main^", "HEAD@{1}", "main@{1 second ago}^"):
        assert text_of(revision(repository, name)).startswith("import"), name


def test_imports_are_read_at_the_revision_too(repository: Repository) -> None:
    repository.commit(lib__models_moa="# models, second\n")
    old = revision(repository, "HEAD~1")
    source = old.source().value
    assert source is not None
    assert source.name == "HEAD~1:./p.moa"
    models = old.read("lib/models.moa", source)
    assert (models.name, models.text) == ("HEAD~1:lib/models.moa", "# models, first\n")
    assert old.read("../p.moa", models).text == source.text


def test_a_folder_below_the_root_is_where_paths_begin(repository: Repository) -> None:
    (repository.folder / "lib" / "deep").mkdir()
    one = revision(repository, file="lib/deep/../models.moa")
    assert text_of(one) == "# models, first\n"


def test_a_file_that_is_gone_now_can_be_read_as_it_was(repository: Repository) -> None:
    (repository.folder / "lib" / "models.moa").unlink()
    (repository.folder / "lib").rmdir()
    repository.commit()
    assert text_of(revision(repository, "HEAD~1", "lib/models.moa")) == "# models, first\n"


@pytest.mark.parametrize("path", ["../o.moa", "/etc/passwd", "lib/../../x", "..", "a:b", "~/x", "", "no.moa", "lib"])
def test_what_may_not_or_can_not_be_read_is_refused(repository: Repository, path: str) -> None:
    one = revision(repository)
    source = one.source().value
    assert source is not None
    with pytest.raises(Refused):
        one.read(path, source)


def test_links_are_followed_inside_the_repository_alone(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    os.symlink("lib/models.moa", repository.folder / "inside.moa")
    os.symlink("../secret", repository.folder / "outside.moa")
    os.symlink(tmp_path / "secret", repository.folder / "absolute.moa")
    os.symlink("loop.moa", repository.folder / "loop.moa")
    repository.commit()
    assert text_of(revision(repository, file="inside.moa")) == "# models, first\n"
    for name in ("outside.moa", "absolute.moa", "loop.moa"):
        one = Revision("HEAD", str(repository.folder / "p.moa"))
        with pytest.raises(Refused, match="leads to no file of the repository"):
            one.read(name, Source("HEAD:./p.moa", ""))


# ---- what is said when it can not be read


@pytest.mark.parametrize("name", ["nowhere", "HEAD~9", "HEAD:p.moa", "HEAD^{tree}", "", "-p", "--help", "a\nb", "a b"])
def test_no_commit(repository: Repository, name: str) -> None:
    with pytest.raises(RevisionError, match=r"names no commit of the repository in .*: is it fetched\?"):
        revision(repository, name)


def test_no_such_file_at_the_revision(repository: Repository) -> None:
    repository.commit(new_moa="# new\n")
    with pytest.raises(RevisionError, match=r"^new\.moa does not exist at HEAD~1$"):
        revision(repository, "HEAD~1", "new.moa").source()
    with pytest.raises(RevisionError, match=r"^lib is a folder at HEAD$"):
        revision(repository, file="lib").source()


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match="lies in no git repository"):
        Revision("HEAD", str(tmp_path / "p.moa"))
    (tmp_path / ".git").mkdir()
    with pytest.raises(RevisionError, match="could not read HEAD: not a git repository"):
        Revision("HEAD", str(tmp_path / "p.moa"))


def test_no_git(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository.folder))
    with pytest.raises(RevisionError, match="`git` is needed, and it is not installed"):
        revision(repository)


def test_a_file_that_is_too_large_or_no_text(repository: Repository) -> None:
    repository.commit(large_moa="#" * 4_000_001)
    (repository.folder / "odd.moa").write_bytes(b"\xff\xfe")
    repository.commit()
    assert [d.code for d in revision(repository, file="large.moa").source().diagnostics] == ["MOA003"]
    assert [d.code for d in revision(repository, file="odd.moa").source().diagnostics] == ["MOA001"]


# ---- nothing of the checkout runs


@pytest.fixture
def canary(repository: Repository, tmp_path: Path) -> Path:
    """A file that any program which the checkout names would make; the program's own path is `canary.sh`."""
    sung = tmp_path / "sung"
    program = tmp_path / "canary.sh"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> {sung}\ncat\n', encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    hooks = repository.folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "reference-transaction", "fsmonitor-watchman", "post-index-change"):
        (hooks / name).write_bytes(program.read_bytes())
        (hooks / name).chmod(0o755)
    for key in (
        "core.pager", "core.fsmonitor", "core.sshCommand", "core.editor", "core.askPass", "core.gitProxy",
        "diff.moa.textconv", "diff.moa.command", "diff.external", "filter.moa.smudge", "filter.moa.process",
        "pager.cat-file", "core.alternateRefsCommand", "credential.helper", "remote.origin.uploadpack",
        "alias.cat-file", "uploadpack.packObjectsHook", "gpg.program",
    ):  # fmt: skip
        value = f"!{program}" if key.startswith("alias") else str(program)
        repository.git("config", key, value)
    (repository.folder / ".git" / "info").mkdir(exist_ok=True)
    attributes = "*.moa diff=moa filter=moa\n"
    (repository.folder / ".git" / "info" / "attributes").write_text(attributes, encoding="utf-8")
    (repository.folder / ".gitattributes").write_text(attributes, encoding="utf-8")
    return sung


def test_nothing_that_the_checkout_configures_is_run(
    repository: Repository, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = str(canary.parent / "canary.sh")
    for name in ("GIT_PAGER", "PAGER", "GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_EDITOR"):
        monkeypatch.setenv(name, program)
    assert text_of(revision(repository)).startswith("import")
    with pytest.raises(RevisionError):
        revision(repository, "nowhere")
    assert not canary.exists()


def test_an_object_that_a_partial_clone_lacks_is_not_fetched(repository: Repository, canary: Path) -> None:
    """Git would fetch it from the remote, by a program that the configuration names."""
    blob = repository.git("rev-parse", "HEAD:p.moa")
    for key, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.url", str(repository.folder)),
        ("remote.origin.promisor", "true"),
    ):
        repository.git("config", key, value)
    (repository.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(RevisionError):
        revision(repository).source()
    assert not canary.exists()


def test_another_repository_in_the_environment_is_not_meant(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a hook, which git runs with its own variables set."""
    other = Repository(tmp_path / "other")
    other.commit(p_moa="# other\n")
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.folder))
    assert text_of(revision(repository)).startswith("import")


def test_a_folder_that_only_looks_like_a_repository_is_none(repository: Repository) -> None:
    """A bare repository inside a checkout may come with a pull request, its configuration with it."""
    bare = repository.folder / "bare"
    bare.mkdir()
    repository.git("clone", "--quiet", "--bare", str(repository.folder), str(bare / "inner"))
    one = Revision("HEAD", str(bare / "inner" / "p.moa"))
    with pytest.raises(RevisionError, match="does not exist"):  # of the outer repository
        one.source()


def test_a_work_tree_beside_the_repository(repository: Repository, tmp_path: Path) -> None:
    repository.git("worktree", "add", "--quiet", str(tmp_path / "beside"))
    assert text_of(Revision("HEAD", str(tmp_path / "beside" / "p.moa"))).startswith("import")
