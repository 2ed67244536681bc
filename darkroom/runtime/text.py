"""Numbers and nouns in messages and on pages."""


def plural(number: int, singular: str, plural_form: str = "") -> str:
    """The form of a word that goes with a number: `image` or `images`, `file is` or `files are`.

    Args:
        number: of things.
        singular: the form for one.
        plural_form: the form for any other number; by default the singular with an `s`.
    """
    return singular if number == 1 else plural_form or f"{singular}s"


def count(number: int, singular: str, plural_form: str = "") -> str:
    """A number with its noun: `1 image`, `60,000 images`; the arguments are those of `plural`."""
    return f"{number:,} {plural(number, singular, plural_form)}"
