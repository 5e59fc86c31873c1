import pytest
import torch

from genai_tutorial.multimodal import ImageTokenizer, StreamModel, StreamVocabulary
from genai_tutorial.transformer import DecoderConfig
from tests.drawn import stirred

VOCABULARY = StreamVocabulary(words=6, codes=5)


def stream_model(seed=3):
    config = DecoderConfig(VOCABULARY.size, 20, width=16, layers=2)
    model = StreamModel(config, VOCABULARY, seed)
    return stirred(model, seed, 0.3)


def test_an_image_tokenizer_with_a_code_for_every_latent_loses_nothing():
    latents = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    tokenizer = ImageTokenizer.fit(latents, codes=30, seed=0)
    codes = tokenizer.encode(latents)
    assert codes.shape == (2, 15)
    assert torch.equal(tokenizer.decode(codes), latents)
    few = ImageTokenizer.fit(latents, codes=3, seed=0)
    assert few.codes == 3
    assert not torch.equal(few.decode(few.encode(latents)), latents)


def test_image_codes_are_in_reading_order():
    latents = torch.arange(6.0).view(1, 1, 2, 3)
    tokenizer = ImageTokenizer(torch.arange(6.0)[:, None], rows=2, columns=3)
    assert tokenizer.encode(latents).tolist() == [[0, 1, 2, 3, 4, 5]]


def test_questions_about_an_image_in_a_stream_are_read_each_alone():
    model = stream_model()
    codes, ids = torch.tensor([[1, 4, 0]]), torch.tensor([[2, 3, 5, 4]])
    documents = torch.tensor([[1, 1, 2, 2]])
    packed = model.read(codes, ids, documents)
    for part in (slice(0, 2), slice(2, 4)):
        alone = model.read(codes, ids[:, part])
        torch.testing.assert_close(packed[:, part], alone, atol=1e-5, rtol=1e-5)


def test_each_code_is_predicted_from_the_caption_and_the_codes_before_it():
    model = stream_model()
    captions, codes = torch.tensor([[2, 3]]), torch.tensor([[1, 4, 0]])
    logits = model.drawing_logits(captions, codes)
    changed = model.drawing_logits(captions, torch.tensor([[1, 2, 0]]))
    assert torch.equal(logits[:, :2], changed[:, :2])
    assert not torch.equal(logits[:, 2], changed[:, 2])
    other = model.drawing_logits(torch.tensor([[2, 4]]), codes)
    assert not torch.equal(logits[:, 0], other[:, 0])


def test_the_loss_of_a_stream_has_both_kinds_of_document():
    model = stream_model()
    captions, codes = torch.tensor([[2, 3]]), torch.tensor([[1, 4, 0]])
    ids, documents = torch.tensor([[2, 3, 5, 4]]), torch.tensor([[1, 1, 2, 2]])
    is_answer = torch.tensor([[False, True, False, True]])
    log_probs = model.drawing_logits(captions, codes).log_softmax(dim=2)[0]
    first = VOCABULARY.first_code
    drawn = -torch.stack([log_probs[k, first + c] for k, c in enumerate((1, 4, 0))])
    read = model.read(codes, ids, documents).log_softmax(dim=2)[0]
    answered = -torch.stack([read[0, 3], read[2, 4]])
    torch.testing.assert_close(
        model(captions, codes, ids, is_answer, documents),
        drawn.mean() + answered.mean(),
    )


def test_drawn_codes_follow_the_models_probabilities():
    model = stream_model()
    captions = torch.tensor([[2, 3]]).expand(4000, -1)
    codes = model.draw(captions, 2, generator=torch.Generator().manual_seed(0))
    assert codes.shape == (4000, 2)
    with torch.no_grad():
        logits = model.decoder(torch.tensor([[2, 3, VOCABULARY.image_start]]))[0, -1]
    expected = logits[VOCABULARY.first_code :].softmax(dim=0)
    drawn = torch.bincount(codes[:, 0], minlength=5) / 4000
    torch.testing.assert_close(drawn, expected, atol=0.03, rtol=0)


def test_guidance_of_image_codes_leads_away_from_the_empty_caption():
    model = stream_model()
    captions, empty = torch.tensor([[2, 3]]), torch.tensor([0, 0])

    def draw(guidance, n=3000):
        choice = {"guidance": guidance, "generator": torch.Generator().manual_seed(1)}
        return model.draw(captions.expand(n, -1), 1, empty=empty, **choice)

    def logits(caption):
        row = torch.cat([caption, torch.tensor([VOCABULARY.image_start])])[None]
        return model.decoder(row)[0, -1, VOCABULARY.first_code :]

    with torch.no_grad():
        told, untold = logits(captions[0]), logits(empty)
    expected = (untold + 3 * (told - untold)).softmax(dim=0)
    drawn = torch.bincount(draw(3.0)[:, 0], minlength=5) / 3000
    torch.testing.assert_close(drawn, expected, atol=0.03, rtol=0)
    plain = torch.bincount(draw(1.0)[:, 0], minlength=5) / 3000
    torch.testing.assert_close(plain, told.softmax(dim=0), atol=0.03, rtol=0)
    with pytest.raises(ValueError, match="empty caption"):
        model.draw(captions, 2, generator=torch.Generator(), guidance=2.0)


def test_codes_outside_the_codebook_are_refused():
    with pytest.raises(ValueError, match="codes must be from 0 to 4"):
        VOCABULARY.image(torch.tensor([[5]]))
