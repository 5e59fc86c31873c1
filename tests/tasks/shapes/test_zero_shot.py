"""The classes of zero-shot classification."""

from genai_tutorial.tasks.shapes import class_captions, parse_caption


def test_class_captions_describe_their_class_in_every_size_and_place():
    """Ten different captions for each of 24 classes, all sentences of the grammar."""
    classes = class_captions()
    assert len(classes) == 24
    for (colour, shape), captions in classes.items():
        described = [parse_caption(text) for text in captions]
        assert len(set(captions)) == 10
        assert {one.objects[0].colour for one in described} == {colour}
        assert {one.objects[0].shape for one in described} == {shape}
        assert len({(one.objects[0].size, one.place) for one in described}) == 10
