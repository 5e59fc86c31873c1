"""Edited pictures: new colours and old places."""

from dataclasses import replace

import pytest

from genai_tutorial.tasks.shapes import (
    EditAccuracy,
    Scene,
    SceneObject,
    edit_accuracy,
    render,
)

RED = SceneObject("red", "circle", 4, 4, 12)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (RED, EditAccuracy(0.0, 1.0)),
        (replace(RED, colour="blue"), EditAccuracy(1.0, 1.0)),
        (replace(RED, colour="blue", left=7), EditAccuracy(1.0, 1.0)),
        (replace(RED, colour="blue", left=8), EditAccuracy(1.0, 0.0)),
        (replace(RED, colour="green", top=18), EditAccuracy(0.0, 0.0)),
    ],
)
def test_edit_accuracy_of_a_known_edit(after, expected):
    assert edit_accuracy([RED], ["blue"], render([Scene((after,))])) == expected


def test_edit_accuracy_counts_an_empty_picture_as_wrong():
    images = render([Scene((replace(RED, colour="blue"),)), Scene(())])
    found = edit_accuracy([RED, RED], ["blue", "blue"], images)
    assert found == EditAccuracy(0.5, 0.5)


def test_edit_accuracy_refuses_another_number_of_pictures():
    with pytest.raises(ValueError, match="got 1 pictures and 1 shapes and 0 colours"):
        edit_accuracy([RED], [], render([Scene((RED,))]))
