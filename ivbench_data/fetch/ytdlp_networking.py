"""yt-dlp with guarded connections: only http(s), only addresses that the guard allows, at every redirect.

Nothing is patched: one instance of yt-dlp gets one request handler, a subclass of its own. Pages are bounded, and each
connection is registered with the watchdog, to be cut. This is the only module that imports yt-dlp's private names.
"""

from __future__ import annotations

import http.client
import socket
import urllib.request
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlsplit

from ivbench_data.errors import EnvironmentProblemError
from ivbench_data.fetch.allowed_addresses import AddressGuard, AddressRefusedError
from ivbench_data.fetch.download_limits import Watchdog

# Imported only when yt-dlp downloads a video. Modules whose names begin with an underscore may change in any release:
# pyproject.toml therefore bounds yt-dlp above.
try:
    from yt_dlp import YoutubeDL
    from yt_dlp.networking import RequestDirector
    from yt_dlp.networking._helper import _socket_connect, create_connection
    from yt_dlp.networking._urllib import HTTPHandler, ProxyHandler, RedirectHandler, UrllibRH
    from yt_dlp.networking.exceptions import HTTPError
except ImportError as error:
    raise EnvironmentProblemError(
        f"the yt-dlp installed here is not one that downloads can be guarded with ({error}). Install one that is: "
        "pip install --upgrade 'ivbench-data[fetch]'"
    ) from error

MAX_PAGE_BYTES = 64 * 2**20
"""A page, playlist or fragment that is read whole may have this many bytes; video files are read in blocks."""


class BoundedResponse(http.client.HTTPResponse):
    """A response whose whole body is read only up to `MAX_PAGE_BYTES`."""

    def read(self, amt: int | None = None) -> bytes:
        """At most `amt` bytes of the body, or all of it.

        Raises:
            ValueError: all of it is more than `MAX_PAGE_BYTES`.
            IncompleteRead: it ends before the length that was announced.
        """
        if amt is not None:
            return super().read(amt)
        promised = self.length
        body = super().read(MAX_PAGE_BYTES + 1)
        if len(body) > MAX_PAGE_BYTES:
            raise ValueError(f"a page is over the limit of {MAX_PAGE_BYTES} bytes")
        if promised is not None and len(body) < promised:
            raise http.client.IncompleteRead(body, promised - len(body))
        return body


class GuardedHTTPHandler(HTTPHandler):  # type: ignore[misc]  # yt-dlp has no types
    """Opens connections that the guard allows, and registers them with the watchdog; used for each redirect, too."""

    def __init__(self, guard: AddressGuard, watchdog: Watchdog, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._guard = guard
        self._watchdog = watchdog

    def http_request(self, req: urllib.request.Request) -> urllib.request.Request:
        """The request, when its address may be asked for."""
        self._guard.check_url(req.full_url)
        request = super().http_request(req)
        assert isinstance(request, urllib.request.Request)
        return request

    https_request = http_request

    def do_open(self, http_class: Any, req: urllib.request.Request, **kwargs: Any) -> Any:
        """Open one connection."""
        return super().do_open(partial(self._make_connection, http_class), req, **kwargs)

    def _make_connection(self, http_class: Callable[..., http.client.HTTPConnection], *args: Any, **kwargs: Any) -> Any:
        connection = http_class(*args, **kwargs)
        connection.response_class = BoundedResponse
        connection._create_connection = self._connect  # type: ignore[attr-defined]  # the hook that http.client has
        connect = connection.connect

        def connect_and_hold() -> None:
            connect()
            # only now is it the socket that is read from: TLS wraps the one that connected
            if connection.sock is not None:
                self._watchdog.hold(connection.sock)

        connection.connect = connect_and_hold  # type: ignore[method-assign]  # this one connection's alone
        return connection

    def _connect(self, address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        host, port = address

        def connect_to(resolved: tuple[Any, ...], timeout: Any, source_address: Any) -> socket.socket:
            self._guard.check_address(host, port, resolved[4][0])
            return _socket_connect(resolved, timeout, source_address)  # type: ignore[no-any-return]  # yt-dlp has no types

        connection = create_connection(address, *args, _create_socket_func=connect_to, **kwargs)
        assert isinstance(connection, socket.socket)
        return connection


class GuardedRedirectHandler(RedirectHandler):  # type: ignore[misc]  # yt-dlp has no types
    """Refuses redirects to other schemes than http and https; the HTTP handler checks the address."""

    def http_error_302(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any) -> Any:
        """Follow a redirect to http or https."""
        scheme = urlsplit(headers.get("Location") or "").scheme.lower()
        if scheme not in ("", "http", "https"):
            raise AddressRefusedError(f"refused redirect: to {scheme}:, and only http and https are followed")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class GuardedUrllibRH(UrllibRH):  # type: ignore[misc]  # yt-dlp has no types
    """yt-dlp's own request handler with guarded connections, without ftp, files and data URLs."""

    _SUPPORTED_URL_SCHEMES = ("http", "https")

    def __init__(self, guard: AddressGuard, watchdog: Watchdog, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._guard = guard
        self._watchdog = watchdog

    def _send(self, request: Any) -> Any:
        try:
            return super()._send(request)
        except HTTPError as error:
            # yt-dlp's downloader drops the response when it reports the error
            self._watchdog.retry_after = error.response.headers.get("Retry-After")
            self._watchdog.content_range = error.response.headers.get("Content-Range")
            raise

    def _create_instance(self, proxies: Any, cookiejar: Any, legacy_ssl_support: Any = None) -> Any:
        opener = urllib.request.OpenerDirector()
        opener.addheaders = []
        for handler in (
            ProxyHandler(proxies),
            GuardedHTTPHandler(
                self._guard,
                self._watchdog,
                context=self._make_sslcontext(legacy_ssl_support=legacy_ssl_support),
                source_address=self.source_address,
            ),
            urllib.request.HTTPCookieProcessor(cookiejar),
            urllib.request.UnknownHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            GuardedRedirectHandler(),
        ):
            opener.add_handler(handler)
        return opener


class GuardedYoutubeDL(YoutubeDL):  # type: ignore[misc]  # yt-dlp has no types
    """yt-dlp with our request handler alone; of captions it keeps manual ones and those of the spoken language."""

    def __init__(self, params: dict[str, Any], guard: AddressGuard, watchdog: Watchdog, auto_init: bool) -> None:
        self._guard = guard
        self._watchdog = watchdog
        super().__init__(params, auto_init="no_verbose_header" if auto_init else False)

    @cached_property
    def _request_director(self) -> RequestDirector:
        return self.build_request_director([partial(GuardedUrllibRH, self._guard, self._watchdog)])

    def process_subtitles(self, video_id: str, normal_subtitles: Any, automatic_captions: Any) -> Any:
        """The captions to download, without the machine translations that sites offer."""
        manual = {tag: tracks for tag, tracks in (normal_subtitles or {}).items() if tag != "live_chat"}
        spoken = {tag: tracks for tag, tracks in (automatic_captions or {}).items() if tag.endswith("-orig")}
        return super().process_subtitles(video_id, manual, spoken)
