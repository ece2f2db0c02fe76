"""Flags of `python -m tools.serve` that are refused, in one line each."""

import pytest
from typed import typed

from tools.serve.__main__ import main
from tools.serve.models.folder import Policy, policy_of, versions_in
from tools.serve.options import Options


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'export' / '7').mkdir(parents=True)
    return tmp_path / 'export'


@pytest.mark.parametrize(
    ('flag', 'words'),
    [
        ('--port=70000', '--port=70000: 0 to 65535'),
        ('--port=-1', '--port=-1: a whole number'),
        ('--model_name=a/b', '--model_name=a/b: a name without /'),
        ('--model_name=', 'a name without /'),
        ('--versions=old', '--versions=old: newest, all'),
        ('--versions=', 'newest, all'),
        (f'--versions={1 << 63}', 'newest, all'),
        ('--label=stable', '--label=stable: LABEL=VERSION'),
        ('--label=a/b=7', 'LABEL=VERSION'),
        ('--max_batch_size=0', '--max_batch_size=0: a whole number of at least 1'),
        ('--batch_timeout=nan', '--batch_timeout=nan: a number above 0'),
        ('--request_timeout=1e9', '--request_timeout=1e+09: up to 86400'),
        ('--max_body_bytes=2147483648', 'less than 2^31'),
    ],
)
def test_flags_that_are_refused(folder, capsys, flag, words):
    assert words in typed(main, capsys, folder, flag).refusal


@pytest.mark.parametrize('flag', ['--rest_api_port=x', '--no_such_flag'])
def test_flags_that_are_none(folder, capsys, flag):
    with pytest.raises(SystemExit) as ended:
        main([str(folder), flag])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count('\n') == 1


def test_a_token_file_that_is_not_there(folder):
    with pytest.raises(ValueError, match='--token_file=/no/such/file: cannot be read'):
        Options(str(folder), token_file='/no/such/file').token()


def test_a_version_in_place_of_a_folder_of_versions(folder, capsys):
    (folder / '7' / 'saved_model.pb').touch()
    refusal = typed(main, capsys, folder / '7').refusal
    assert f'name {folder}, with --versions=7' in refusal
    assert 'no such folder' in typed(main, capsys, folder / 'nothing').refusal


@pytest.mark.parametrize(
    ('content', 'mode', 'words'),
    [
        ('short', 0o600, '16 characters or more'),
        ('x' * 20 + ' y', 0o600, 'one token'),
        ('é' * 20, 0o600, 'is no text'),
        ('x' * 20, 0o644, 'chmod 600'),
    ],
)
def test_token_files_that_are_refused(folder, tmp_path, content, mode, words):
    path = tmp_path / 'token'
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(ValueError, match=words):
        Options(str(folder), token_file=str(path)).token()


def test_a_token_is_not_shown(folder, tmp_path):
    path = tmp_path / 'token'
    path.write_text('x' * 20 + '\n')
    path.chmod(0o600)
    assert Options(str(folder), token_file=str(path)).token() == 'x' * 20


def test_this_machine_alone_is_answered_unless_others_are_asked_for(folder):
    assert Options(str(folder)).host == '127.0.0.1'
    assert Options(str(folder), open=True).host == '0.0.0.0'


def test_which_versions_are_wanted():
    assert policy_of('newest', ()).chosen([3, 12, 7]) == {12}
    assert policy_of('all', ()).chosen([3, 12, 7]) == {3, 7, 12}
    assert policy_of('3, 8', ()).chosen([3, 12, 7]) == {3}
    assert policy_of('newest', ['old=3', 'gone=4']).chosen([3, 12]) == {3, 12}
    assert Policy().chosen([]) == set()


@pytest.mark.parametrize('name', ['variables/variables.index', 'assets.extra/longhaul.json'])
def test_a_version_that_is_being_copied_changes_with_each_file(tmp_path, name):
    (tmp_path / '7').mkdir()
    assert versions_in(str(tmp_path)) == {}
    (tmp_path / '7' / 'saved_model.pb').write_bytes(b'x')
    begun = versions_in(str(tmp_path))
    (tmp_path / '7' / name).parent.mkdir()
    (tmp_path / '7' / name).write_bytes(b'')
    copied = versions_in(str(tmp_path))
    (tmp_path / '7' / name).write_bytes(b'x')
    whole = versions_in(str(tmp_path))
    assert begun.keys() == copied.keys() == whole.keys() == {7}
    assert begun != copied != whole
