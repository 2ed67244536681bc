"""The choice as it is stored and shown."""

from pathlib import Path

from darkroom.selection.choice import Choice, choice_lines, read_choice, write_choice

SETTINGS = {"network": "timm/lite0", "weights": "imagenet", "pooling": "grid"}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    choice = Choice(SETTINGS, "it is", [{"network": "timm/lite0", "accuracy": 0.5}], {"first": 128})
    write_choice(choice, tmp_path / "select")
    assert read_choice(tmp_path / "select") == choice


def test_a_search_is_shown_in_three_lines_and_a_rule_in_one() -> None:
    tried = [
        {"network": f"timm/lite{number}", "pooling": pooling, "accuracy": 0.9 + number / 100, "images": 1_280}
        for number in (0, 1)
        for pooling in ("grid", "mean")
    ]
    assert choice_lines(Choice(SETTINGS, "90.0% of 1,280 training images", tried, {}), "auto") == [
        "timm/lite0, weights imagenet, pooling grid",
        "90.0% of 1,280 training images",
        "tried timm/lite0: grid 90.0% of 1,280, mean 90.0% of 1,280; timm/lite1: grid 91.0% of 1,280, mean 91.0% of 1,280",
    ]
    assert choice_lines(Choice({}, "train.network is set", [], {}), "resnet18") == [
        "resnet18, since train.network is set"
    ]


def test_a_fine_tuning_is_in_the_first_line() -> None:
    def first(epochs: int) -> str:
        plan = {"fine_tuning": {"epochs": epochs, "forms": 7, "most": 2_048}}
        return choice_lines(
            Choice(SETTINGS, "", [{"network": "a", "pooling": "b", "accuracy": 1, "images": 9}], plan), "auto"
        )[0]

    assert first(8).endswith("; then 8 epochs of fine-tuning of the upper blocks are tried")
    assert first(0).endswith("; no fine-tuning, since train.budget is enough for 2,048 training images")
