"""Each rule for stored outputs is broken once, and its check must report it."""

import base64
import io
import random
from pathlib import Path

import pytest
from nbformat.v4 import new_output
from PIL import Image

from genai_tutorial.notebook.frames import WIDGET_VIEW
from tests.notebooks import output_checks
from tests.notebooks.breaks import Break, Breaks, cell
from tests.notebooks.sample import chapter_file, sample_notebook

breaks = Breaks()


def in_full_colour(width: int, height: int) -> str:
    stream = io.BytesIO()
    noise = random.Random(0).randbytes(width * height * 3)
    Image.frombytes("RGB", (width, height), noise).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


@breaks(output_checks.no_stored_error, "it raised ValueError")
def _stored_error(notebook):
    cell(notebook, "print").outputs = [
        new_output("error", ename="ValueError", evalue="no", traceback=[])
    ]


@breaks(output_checks.no_widget_view, "a widget view")
def _widget_view(notebook):
    cell(notebook, "frames").outputs[0].data[WIDGET_VIEW] = {
        "model_id": "1",
        "version_major": 2,
        "version_minor": 0,
    }


@breaks(output_checks.no_widget_view, "state of widgets")
def _widget_state(notebook):
    notebook.metadata.widgets = {}


@breaks(output_checks.small_enough, "a chapter may have 1.5 MB")
def _too_large(notebook):
    cell(notebook, "print").outputs[0].text = "4\n" * 800_000


@breaks(
    output_checks.pictures_have_text, "no real alternative text for a picture, got ''"
)
def _figure_without_text(notebook):
    cell(notebook, "show(").outputs[0].metadata = {}


SOUND = (
    "<figure><figcaption><strong>{name}</strong><br>{words}</figcaption>"
    '<audio controls preload="{preload}" aria-label="{name}" src="data:,"></audio>'
    "</figure>"
)


def sounds(*clips: str):
    return [new_output("display_data", data={"text/html": "".join(clips)})]


@breaks(output_checks.sounds_have_text, "use Sound, which has a transcript")
def _sound_outside_a_figure(notebook):
    cell(notebook, "print").outputs = sounds('<audio controls src="data:,"></audio>')


@breaks(output_checks.sounds_have_text, "without a name or a transcript")
def _sound_without_transcript(notebook):
    clip = SOUND.format(name="A voice", words="", preload="none")
    cell(notebook, "print").outputs = sounds(clip)


@breaks(output_checks.sounds_have_text, "without a name or a transcript")
def _sound_that_loads_at_once(notebook):
    clip = SOUND.format(name="A voice", words="a red circle", preload="auto")
    cell(notebook, "print").outputs = sounds(clip)


@breaks(output_checks.sounds_have_text, "the same name as a sound in cell")
def _two_sounds_with_one_name(notebook):
    clip = SOUND.format(name="A voice", words="a red circle", preload="none")
    cell(notebook, "print").outputs = sounds(clip, clip)


@breaks(output_checks.pictures_have_text, "no real alternative text")
def _figure_named_after_its_file(notebook):
    cell(notebook, "show(").outputs[0].metadata[
        "image/png"
    ].alt = "figures/the_loss_over_all_steps.png"


@breaks(output_checks.pictures_have_text, "250 are allowed")
def _endless_text(notebook):
    cell(notebook, "show(").outputs[0].metadata["image/png"].alt = "words " * 50


@breaks(output_checks.pictures_have_text, "the same alternative text as in cell 4")
def _text_copied(notebook):
    cell(notebook, "print").outputs.append(cell(notebook, "show(").outputs[0])


@breaks(output_checks.pictures_have_text, "inside HTML")
def _html_picture_without_text(notebook):
    cell(notebook, "claims").outputs[0].data["text/html"] = (
        '<p><img src="data:image/png;base64,AA"></p>'
    )


@breaks(output_checks.pictures_are_sane, "50 by 30 pixels")
def _tiny_picture(notebook):
    cell(notebook, "show(").outputs[0].data["image/png"] = in_full_colour(50, 30)


@breaks(output_checks.pictures_are_sane, "from 2 to 64 colours")
def _picture_in_full_colour(notebook):
    cell(notebook, "show(").outputs[0].data["image/png"] = in_full_colour(200, 100)


@breaks(output_checks.pictures_are_sane, "image/svg+xml")
def _vector_picture(notebook):
    cell(notebook, "show(").outputs[0].data["image/svg+xml"] = "<svg/>"


@breaks(output_checks.executed_in_order, "run the notebook from the top")
def _cell_not_run(notebook):
    cell(notebook, "print").execution_count = None


@breaks(output_checks.executed_in_order, "an output from another run")
def _output_of_another_run(notebook):
    cell(notebook, "frames").outputs[0].execution_count = 17


@breaks(output_checks.written_by_execute, "written by an editor")
def _random_cell_id(notebook):
    notebook.cells[3].id = "a1b2c3d4"


@breaks(output_checks.written_by_execute, "written by an editor")
def _metadata_of_an_editor(notebook):
    notebook.metadata["vscode"] = {"x": 1}


@pytest.mark.parametrize(
    "text",
    [
        "saved /home/ada/model.pt",
        "C:\\Users\\ada",
        "<Axes at 0x7f3a1b2c3d4e>",
        "20it/s",
        "see /tmp/x",
    ],
)
def test_machine_dependent_output_is_reported(text: str, tmp_path: Path):
    notebook = sample_notebook()
    cell(notebook, "print").outputs[0].text = text
    assert (
        len(
            output_checks.outputs_are_machine_independent(
                chapter_file(notebook, tmp_path)
            )
        )
        == 1
    )


@breaks(output_checks.outputs_are_machine_independent, "a warning or a log")
def _warning(notebook):
    cell(notebook, "print").outputs[0].name = "stderr"


@breaks(output_checks.nothing_from_other_hosts, "https://")
def _script_from_another_host(notebook):
    html = '<script src="https://cdn.example.org/x.js"></script>'
    cell(notebook, "claims").outputs[0].data["text/html"] = html


@breaks(output_checks.sources_are_fresh, "has changed since")
def _source_of_yesterday(notebook):
    cell(notebook, "show_source").outputs[0].data["text/plain"] += "\n    # gone"


@breaks(output_checks.sources_are_fresh, "has changed since")
def _source_that_was_renamed(notebook):
    cell(notebook, "show_source").outputs[
        0
    ].metadata.genai_tutorial.source.name = "old_name"


@breaks(output_checks.sources_are_fresh, "at least one part")
def _no_source(notebook):
    cell(notebook, "show_source").outputs = []


@breaks(output_checks.claims_are_kept, "at least 3 claims, got 2")
def _too_few_claims(notebook):
    cell(notebook, "claims").outputs.pop()


@breaks(output_checks.claims_are_kept, "occurs twice")
def _claim_made_twice(notebook):
    cell(notebook, "claims").outputs.append(cell(notebook, "claims").outputs[0])


@breaks(output_checks.has_an_interactive_figure, "at least one interactive figure")
def _nothing_to_move(notebook):
    cell(notebook, "frames").outputs = []


@breaks(output_checks.tags_are_known, "nbval-chek-output")
def _mistyped_tag(notebook):
    cell(notebook, "show_source").metadata.tags = ["nbval-chek-output"]


@breaks(output_checks.tags_are_known, "no cell carries")
def _nothing_checked(notebook):
    cell(notebook, "print").metadata.tags = []


def test_output_checks_each_have_a_break():
    assert breaks.checks == set(output_checks.CHECKS)


@pytest.mark.parametrize("case", breaks.all, ids=str)
def test_output_check_reports_broken_rule(case: Break, tmp_path: Path):
    case.assert_reported(tmp_path)
