"""What of a URL everybody may read."""
from __future__ import annotations

import pytest

from ansible_collections.mlops.tf_serving.plugins.module_utils import urls

SHOWN = [
    ("https://h/x.tar.gz", "https://h/x.tar.gz"), ("HTTPS://h:8443/x", "https://h:8443/x"), (" http://h/x\n", "http://h/x"),
    ("https://me:secret@h:80/a@b/x?file=y#secret", "https://h:80/a@b/x?file=y"), ("https://secret@h/x", "https://h/x"),
    ("http://me:secret@[::1]:80/x", "http://[::1]:80/x"), ("http://[::1]/x", "http://[::1]/x"), ("http://h:port/x", "http://h:port/x"),
    # Passwords that are not written as they should be.
    ("https://me:sec/ret@h/x", "https://h/x"), ("https://me:secret?x@h/x", "https://h/x"), ("https://me:a#secret@h/x", "https://h/x"),
    # Amazon, Azure, Alibaba, Google, and everybody.
    ("https://b/x?X-Amz-Algorithm=AWS4&X-Amz-Credential=secret&X-Amz-Signature=secret&versionId=7", "https://b/x?versionId=7&..."),
    ("https://b/x?sv=2024&se=2026&sr=b&sp=r&sig=secret", "https://b/x?..."),
    ("https://b/x?OSSAccessKeyId=secret&Expires=1&Signature=secret", "https://b/x?..."),
    ("https://b/x?X-Goog-Signature=secret&generation=1", "https://b/x?generation=1&..."),
    ("https://h/x?access_token=secret", "https://h/x?..."), ("https://h/x?key=secret", "https://h/x?..."), ("https://h/x?", "https://h/x"),
    ("https://h/x?secret", "https://h/x?..."), ("https://h/d?file=x.csv;sig=secret", "https://h/d?file=x.csv&..."),
    ("https://h/d?FILE=a/b.tar.gz&raw=true", "https://h/d?FILE=a/b.tar.gz&raw=true"), ("https://h?download=1", "https://h?download=1"),
    # The value is a URL itself.
    ("https://h/d?path=https://me:secret@b/x", "https://h/d?..."), ("https://h/d?file=b/x%3Fsig%3Dsecret", "https://h/d?..."),
    ("s3://me:secret@bucket/x?sig=secret", "s3://bucket/x?..."),
    ("file:///srv/a?b#c@d", "file:///srv/a?b#c@d"), ("/srv/a?b@c", "/srv/a?b@c"), ("exports/a?b", "exports/a?b"), ("", ""),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_what_is_shown(text, shown):
    assert urls.public(text) == shown and urls.public(shown) == shown
    assert urls.public_all({"x": [text, 1, None], "y": (text,)}) == {"x": [shown, 1, None], "y": [shown]}


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_what_is_not_shown_is_known(text, shown):
    said = "Words of a library about %s." % text
    for secret in urls.secrets({"x": [text, 1, {"y": text}]}):
        assert len(secret) > 4
        said = said.replace(secret, "********")
    assert "secret" not in said
    assert list(urls.secrets([shown.strip(), 7, None])) == []


def test_the_query_and_the_login_alone():
    assert list(urls.secrets("https://me:secret@h/x?sig=secret")) == [
        "https://me:secret@h/x?sig=secret", "me:secret@", "sig=secret"]
    assert list(urls.secrets("https://me:secret@h/x?file=y")) == ["https://me:secret@h/x?file=y", "me:secret@"]


@pytest.mark.parametrize(("said", "shown"), [
    ("Redirection to url 'file:///x?sig=secret' is not allowed", "Redirection to url 'file:///x?...' is not allowed"),
    ("to \"https://me:secret@h/x?sig=secret\" or <http://h/?file=y>", "to \"https://h/x?...\" or <http://h/?file=y>"),
    ("Not Found: /x.csv?sig=secret", "Not Found: /x.csv?..."), ("the way to that server (http_proxy?), or not?",) * 2, (7, "7"),
])
def test_what_others_say(said, shown):
    assert urls.without_secrets(said) == shown
