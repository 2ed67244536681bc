"""Files that lie among images and are none: hidden ones, and what systems leave behind."""

import os

SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "icon\r"}
# Synology's @eaDir holds small copies of the pictures beside it, which would otherwise be taken for a class.
SYSTEM_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}


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
