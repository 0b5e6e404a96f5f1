"""What opens a Jupyter server does not get through, wherever it stands."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from nbsession.server.request.credentials import CredentialFilter, hub_cookies_of


class _Auth:
    cookie_name = "custom"
    state_cookie_name = "custom-oauth-state"


@pytest.mark.parametrize(
    ("header", "cleaned"),
    [
        (("Authorization", "token x"), []),
        (("PROXY-AUTHORIZATION", "x"), []),
        (("X-XSRFToken", "x"), []),
        (("Accept", "text/html"), [("Accept", "text/html")]),
        (("Cookie", "_xsrf=1; username-h-8888=2; jupyterhub-user-a=3; mine=4"), []),
        (("Cookie", "a=1; _xsrf=2; b=3"), [("Cookie", "a=1; b=3")]),
        (("Referer", "http://h/lab?token=x&a=%20+"), [("Referer", "http://h/lab?a=%20+")]),
        (("X-Original-URI", "/voila?token=x&a=1"), [("X-Original-URI", "/voila?a=1")]),
        (("X-Forwarded-Uri", "/voila?a=1&TOKEN=x"), [("X-Forwarded-Uri", "/voila?a=1")]),
        (("X-Original-URL", "http://[broken?token=x"), []),
        (
            ("X-Envoy-Original-Path", "/voila?a=1&token=x"),
            [("X-Envoy-Original-Path", "/voila?a=1")],
        ),
        (("X-Waws-Unencoded-Url", "/x?%74oken=x"), [("X-Waws-Unencoded-Url", "/x")]),
        (("Link", "</a?a=1>, </b?token=x>"), []),
        (("Referer", "http://h/lab?a=1;token=x"), []),
        (("X-Mood", "why? token=none"), [("X-Mood", "why? token=none")]),
        (("X-Mood", "#a?b=1"), [("X-Mood", "#a?b=1")]),
    ],
)
def test_headers(header: tuple[str, str], cleaned: list[tuple[str, str]]) -> None:
    assert CredentialFilter(login_cookie="mine").headers([header]) == cleaned


def test_keep() -> None:
    keep = CredentialFilter(keep=["Authorization", "jupyterhub-*"])
    assert keep.headers([("authorization", "x"), ("Cookie", "jupyterhub-user-a=3; _xsrf=1")]) == [
        ("authorization", "x"),
        ("Cookie", "jupyterhub-user-a=3"),
    ]


@pytest.mark.parametrize(
    "header",
    [
        "X-Auth-Request-Access-Token",
        "x-forwarded-access-token",
        "X-Forwarded-Id-Token",
        "X-Amzn-Oidc-Accesstoken",
        "X-MS-TOKEN-AAD-ACCESS-TOKEN",
        "Cf-Access-Jwt-Assertion",
        "X-Goog-IAP-JWT-Assertion",
        "OIDC_access_token",
        "X_Forwarded_Access_Token",
        "X-Forwarded-Authorization",
        "X-Original-Cookie",
        "X-XSRF-Token",
        "X-Auth-Token",
        "X-Vouch-IdP-AccessToken",
        "X-authentik-jwt",
    ],
)
def test_what_proxies_add(header: str) -> None:
    assert CredentialFilter().headers([(header, "secret")]) == []


def test_who_the_visitor_is_stays() -> None:
    headers = [
        ("X-Auth-Request-User", "ada"),
        ("X-Forwarded-Email", "ada@example.org"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Amzn-Oidc-Identity", "ada"),
    ]
    assert CredentialFilter().headers(headers) == headers


COOKIES = [
    *("__Host-jupyterhub-user-ada", "__Secure-jupyterhub-session-id", "__host-_xsrf"),
    *("jupyterhub-hub-login", "__Host-username-127-0-0-1-8888"),
    *("_oauth2_proxy", "_oauth2_proxy_0", "_oauth2_proxy_csrf", "__Secure-_oauth2_proxy_1"),
    *("mine", "__Host-mine", "CF_Authorization", "AWSELBAuthSessionCookie-0"),
    *("__Http-jupyterhub-user-ada", "__Host-Http-jupyterhub-user-ada"),
]


@pytest.mark.parametrize("name", COOKIES)
def test_cookies(name: str) -> None:
    credentials = CredentialFilter(login_cookie="mine")
    assert credentials.drops_cookie(name)
    assert credentials.headers([("Cookie", f"a=1; {name}=secret; b=2")]) == [("Cookie", "a=1; b=2")]


@pytest.mark.parametrize("name", ["theme", "__Host-theme", "__Secure-sid", "service-level", "host"])
def test_cookies_of_an_app_stay(name: str) -> None:
    assert not CredentialFilter(login_cookie="mine").drops_cookie(name)


def test_under_a_hub() -> None:
    credentials = CredentialFilter(hub_cookies=["custom", "custom-oauth-state"])
    for name in ("service-dash", "custom", "__Host-custom", "custom-oauth-state-x1"):
        assert credentials.drops_cookie(name)
    assert not credentials.drops_cookie("customer")
    assert credentials.query("a=1&redirects=1&b=2") == "a=1&b=2"
    assert CredentialFilter().query("redirects=1") == "redirects=1"


@pytest.mark.parametrize(
    ("name", "provider"),
    [("service-dash", object()), ("custom", SimpleNamespace(hub_auth=_Auth()))],
)
def test_the_hub_says_which_cookies_are_its_own(
    monkeypatch: pytest.MonkeyPatch, name: str, provider: object
) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    assert CredentialFilter(hub_cookies=hub_cookies_of(provider)).drops_cookie(name)


def test_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert hub_cookies_of(object()) is None


@pytest.mark.parametrize(
    ("query", "cleaned"),
    [
        ("a=1&next=%2Flab%3Ftoken%3Dsecret&b=2", "a=1&next=%2Flab&b=2"),
        ("n=%2Flab%3Fa%3D1%26token%3Dsecret%26b%3D%20+", "n=%2Flab%3Fa%3D1%26b%3D%20+"),
        ("n=%252Flab%253Ftoken%253Dsecret%2526b%253D1&b", "n=%252Flab%253Fb%253D1&b"),
        ("n=%2Fa%3Fx%3D%252Fb%253Ftoken%253Dsecret%26z%3D2", "n=%2Fa%3Fx%3D%252Fb%26z%3D2"),
        ("next=/lab?token=secret", "next=/lab"),
        ("next=/lab%3Ftoken=secret&c=1", "next=/lab&c=1"),
        ("next=/lab?token%3Dsecret", "next=/lab"),
        ("n=%2Flab%3F%2574oken%3Dsecret%23top", "n=%2Flab%23top"),
        ("args=token%3Dsecret%26a%3D1", "args=a%3D1"),
        ("n=%25252525253Ftoken%2525252525253Dsecret", "n="),
        ("n=%2Flab%3F_xsrf%3Dsecret", "n=%2Flab"),
        ("token[]=secret&token%5B0%5D=secret&token=secret&a[]=1", "a[]=1"),
        ("n=%2Flab%3Ftoken%5B%5D%3Dsecret%26a%3D1", "n=%2Flab%3Fa%3D1"),
        ("state=%7B%22url%22%3A%22%2Flab%3Ftoken%3Dsecret%22%7D&a=1", "a=1"),
        ("a=1;token=secret&b=1", "b=1"),
        ("tokens=5&my_token=3&a=token&b=%3Ftoken", "tokens=5&my_token=3&a=token&b=%3Ftoken"),
        ("raw=%FF%26&discount=100%25", "raw=%FF%26&discount=100%25"),
    ],
)
def test_urls_within_a_query(query: str, cleaned: str) -> None:
    assert CredentialFilter().query(query) == cleaned
    url = f"https://h/hub/login?{query}"
    for name in ("Referer", "X-Original-URI"):
        for _, value in CredentialFilter().headers([(name, url)]):
            assert "secret" not in value


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("/hub/login?next=%2Flab%3Ftoken%3Dsecret&a=1", ["/hub/login?next=%2Flab&a=1"]),
        ("%2Flab%3Ftoken%3Dsecret", ["%2Flab"]),
        ("token=secret&a=1", ["a=1"]),
        ("a=1&token=secret", ["a=1"]),
        ('{"url": "/lab?token=secret"}', []),
        ("/a?token=secret, /b", []),
    ],
)
def test_urls_within_any_header(value: str, cleaned: list[str]) -> None:
    headers = CredentialFilter().headers([("X-Whatever", value)])
    assert [value for _, value in headers] == cleaned


def test_a_url_within_a_cookie() -> None:
    cookie = "last=%2Flab%3Ftoken%3Dsecret; theme=dark"
    assert CredentialFilter().headers([("Cookie", cookie)]) == [("Cookie", "theme=dark")]
    assert CredentialFilter().drops_cookie("last", "%2Flab%3Ftoken%3Dsecret")


def test_a_path_that_holds_an_encoded_query() -> None:
    credentials = CredentialFilter()
    assert credentials.url("http://u:p@h/lab%3Ftoken%3Dsecret?a=1#b") == "http://h/lab?a=1"
    assert credentials.url("http://h/lab;token=secret") == "http://h/lab"


def test_keep_within_urls_and_behind_prefixes() -> None:
    credentials = CredentialFilter(keep=["token", "jupyterhub-*", "x-forwarded-access-token"])
    assert credentials.query("next=%2Flab%3Ftoken%3Dx&token=y") == "next=%2Flab%3Ftoken%3Dx&token=y"
    assert not credentials.drops_cookie("__Host-jupyterhub-user-ada")
    assert credentials.headers([("X-Forwarded-Access-Token", "x")])
    assert credentials.drops_parameter("_xsrf")


def test_a_long_query_costs_no_time() -> None:
    began = time.perf_counter()
    for query in ("a=" + "%25" * 20_000, "%3Ftoken%3Dx" * 5_000, "a=1&" * 15_000 + "n=%3Ftoken%3D"):
        assert "oken" not in CredentialFilter().query(query)
    assert time.perf_counter() - began < 5
