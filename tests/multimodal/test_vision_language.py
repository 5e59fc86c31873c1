import pytest
import torch

from genai_tutorial.multimodal import (
    CrossAttentionModel,
    EncoderConfig,
    ImageEncoder,
    ImageEncoderConfig,
    ImageReader,
    VisionLanguageConfig,
    VisionLanguageModel,
    answer_loss,
    without_last_block,
)
from genai_tutorial.multimodal.image_reader import GatedCrossAttention
from genai_tutorial.tokenization import WordTokenizer
from genai_tutorial.transformer import DecoderConfig
from tests.drawn import stirred

TOKENIZER = WordTokenizer(("blue", "colour", "is", "it", "red", "what"))
IMAGE = ImageEncoderConfig(EncoderConfig(width=12, layers=2, heads=2), 16, 8)


def config():
    decoder = DecoderConfig.fast(
        TOKENIZER.vocab_size, 24, width=16, layers=2, heads=2, convolution_size=0
    )
    return VisionLanguageConfig(IMAGE, decoder)


def with_random_weights(model, seed=5):
    """Fill in the weights that start at zero, which would hide mistakes."""
    return stirred(model, seed, 0.3).eval()


@pytest.fixture
def model():
    return with_random_weights(VisionLanguageModel(config()))


@pytest.fixture
def images():
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))


IDS = torch.tensor([[7, 3, 4, 5, 6, 1], [2, 2, 3, 6, 1, 0], [5, 4, 3, 2, 7, 6]])


def test_another_picture_changes_the_answer_and_a_later_token_does_not(model, images):
    squares = model.look(images)
    logits = model.read(squares, IDS)
    assert (model.read(squares.flip(0), IDS) - logits).abs().amin(dim=(1, 2))[0] > 1e-4
    later = IDS.clone()
    later[:, -1] = 4
    assert torch.equal(model.read(squares, later)[:, :-1], logits[:, :-1])


def test_questions_in_one_row_are_read_as_if_each_were_alone(model, images):
    squares = model.look(images)
    documents = torch.tensor([[1, 1, 2, 2, 2, 3]]).expand(3, -1)
    packed = model.read(squares, IDS, documents)
    for part in (slice(0, 2), slice(2, 5), slice(5, 6)):
        alone = model.read(squares, IDS[:, part])
        torch.testing.assert_close(packed[:, part], alone, atol=1e-5, rtol=1e-5)


def test_without_the_mask_a_question_reads_the_answers_before_it(model, images):
    squares, other = model.look(images), IDS.clone()
    other[:, 0] = 4
    documents = torch.tensor([[1, 1, 2, 2, 2, 2]]).expand(3, -1)
    for mask, same in ((None, False), (documents, True)):
        last, changed = (model.read(squares, x, mask)[:, -1] for x in (IDS, other))
        assert torch.equal(last, changed) == same


def test_an_image_encoder_without_its_last_block_stops_before_it(images):
    encoder = with_random_weights(ImageEncoder(IMAGE))
    shorter = without_last_block(encoder)
    before = encoder.read(images)
    torch.testing.assert_close(
        encoder.encoder[-1](shorter.read(images)), before, atol=1e-6, rtol=1e-6
    )
    assert not torch.equal(shorter.read(images), before)
    assert shorter.config.encoder.layers == 1


def test_a_cached_answer_is_the_greedy_one_of_whole_forward_passes(model, images):
    reader = ImageReader(model, TOKENIZER)
    squares = model.look(images)
    questions = ["what colour is it", "is it red", "what colour"]
    answers = reader.answer(squares, questions, max_tokens=5)
    words = reader.first_words(squares, questions)
    for row, question in enumerate(questions):
        ids = TOKENIZER.encode(question)[:-1]
        start = len(ids)
        while len(ids) < start + 5 and ids[-1] != TOKENIZER.END:
            logits = model.read(squares[row : row + 1], torch.tensor([ids]))
            ids.append(int(logits[0, -1].argmax()))
        assert answers[row] == TOKENIZER.decode(ids[start:])
        assert words[row] == TOKENIZER.decode(ids[start : start + 1])


def test_attention_to_the_image_leaves_the_rest_for_the_text(model, images):
    squares = model.look(images)
    weights = model.attention_to_image(squares, IDS)
    assert weights.shape == (3, 2, 2, 4)
    assert (weights >= 0).all()
    assert (weights.sum(dim=-1) < 1).all()


def test_answer_loss_reads_each_answer_one_token_before_it():
    ids = torch.tensor([[2, 3, 4]])
    is_answer = torch.tensor([[False, False, True]])
    logits = torch.zeros(1, 3, 8)
    logits[0, 1, 4] = 50.0  # the prediction after the token before the answer
    assert answer_loss(logits, ids, is_answer) < 1e-6
    unshifted = torch.zeros(1, 3, 8)
    unshifted[0, 2, 4] = 50.0
    assert answer_loss(unshifted, ids, is_answer) > 2
    with pytest.raises(ValueError, match="no loss"):
        answer_loss(logits, ids, torch.zeros_like(is_answer))


def test_closed_gates_leave_the_language_model_unchanged(images):
    model = CrossAttentionModel(config())
    with_random_weights(model.decoder)
    alone = model.decoder(IDS)
    assert torch.equal(model(images, IDS), alone)
    with torch.no_grad():
        model.gated_layers[0].attention_gate.fill_(0.5)
    assert not torch.allclose(model(images, IDS), alone)


def test_closed_gates_still_have_a_gradient():
    layer = GatedCrossAttention(width=8, heads=2, source_width=4)
    layer(torch.randn(1, 3, 8), torch.randn(1, 5, 4)).sum().backward()
    assert layer.attention_gate.grad.abs() > 0
    assert layer.feed_forward_gate.grad.abs() > 0


def test_packed_questions_see_the_image_through_open_gates(images):
    model = with_random_weights(CrossAttentionModel(config()))
    documents = torch.tensor([[1, 1, 2, 2, 2, 2]]).expand(3, -1)
    packed = model(images, IDS, documents)
    alone = model(images, IDS[:, 2:])
    torch.testing.assert_close(packed[:, 2:], alone, atol=1e-5, rtol=1e-5)


def test_answers_behind_a_prefix_need_a_model_with_a_prefix(images):
    model = CrossAttentionModel(config())
    reader = ImageReader(model, TOKENIZER)
    with pytest.raises(ValueError, match="first_words"):
        reader.answer(model.look(images), ["what is it"] * 3)
    assert len(reader.first_words(model.look(images), ["what is it"] * 3)) == 3
    with pytest.raises(ValueError, match="3 images and 2 questions"):
        reader.first_words(model.look(images), ["what is it"] * 2)
