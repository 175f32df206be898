"""The Chromium of this machine: where it is, and how it is started to ask nothing of any other."""

from __future__ import annotations

import shutil

PROGRAMS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
ABSENT = "no Chromium on this machine (Debian and Ubuntu: apt-get install chromium)"
# Nothing is asked of any other machine, and nothing of Chromium's own goes out.
ALONE = (
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """Return where a Chromium of this machine is, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)
