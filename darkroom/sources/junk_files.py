"""Files that lie among images and are none: hidden ones, and what systems leave behind."""

import os
import re

SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "icon\r"}
# Synology's @eaDir holds small copies of the pictures beside it, which would otherwise be taken for a class.
SYSTEM_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}

# What moves a terminal's cursor or colours it, breaks a line, or turns the direction of text; and halves of characters.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def not_an_image(folder: str, name: str) -> str | None:
    """Why a file that lies in a folder (both as text, with `/`) can't count as an image, or None."""
    if name.startswith(".") or folder.startswith(".") or "/." in folder:
        return "hidden"
    if name.lower() in SYSTEM_FILES or not SYSTEM_FOLDERS.isdisjoint(folder.lower().split("/")):
        return "left by the system"
    if not (name.isascii() and folder.isascii()) and shown(f"{folder}/{name}") != f"{folder}/{name}":
        return "its name is not in UTF-8: rename it"
    return None


def shown(path: str) -> str:
    r"""A path that can be written anywhere: bytes that are not UTF-8 as `\xe9`."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


def printed(text: str) -> str:
    r"""A name as it may go to a terminal, which it can't command: a line's end as `\n`, an escape as `\x1b`."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
