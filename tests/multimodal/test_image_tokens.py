import pytest
import torch

from genai_tutorial.multimodal import (
    ImageTokenizer,
    StreamVocabulary,
    draw_image_codes,
    k_means,
    stream_logits,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM

VOCABULARY = StreamVocabulary(words=6, codes=5)


def stream_model(seed=3):
    model = DecoderLM(DecoderConfig(VOCABULARY.size, 20, width=16, layers=2), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def test_k_means_never_makes_the_squared_error_larger():
    points = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    centres, errors = points[:8], []
    for _ in range(6):
        errors.append(torch.cdist(points, centres).amin(dim=1).square().sum())
        centres = k_means(points, centres, iterations=1)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.9 * errors[0]


def test_k_means_leaves_a_centre_without_points_where_it_is():
    points = torch.tensor([[0.0], [2.0]])
    centres = k_means(points, torch.tensor([[1.0], [99.0]]))
    assert centres.flatten().tolist() == [1.0, 99.0]


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


def test_images_are_enclosed_in_a_stream():
    tokens = VOCABULARY.image(torch.tensor([[4, 0]]))
    assert tokens.tolist() == [[6, 12, 8, 7]]
    assert VOCABULARY.size == 13


def test_questions_about_an_image_in_a_stream_are_read_each_alone():
    model = stream_model()
    codes, ids = torch.tensor([[1, 4, 0]]), torch.tensor([[2, 3, 5, 4]])
    documents = torch.tensor([[1, 1, 2, 2]])
    packed = stream_logits(model, VOCABULARY, codes, ids, documents)
    for part in (slice(0, 2), slice(2, 4)):
        alone = stream_logits(model, VOCABULARY, codes, ids[:, part])
        torch.testing.assert_close(packed[:, part], alone, atol=1e-5, rtol=1e-5)


def test_drawn_codes_follow_the_models_probabilities():
    model = stream_model()
    captions = torch.tensor([[2, 3]]).expand(4000, -1)
    codes = draw_image_codes(
        model, VOCABULARY, captions, 2, generator=torch.Generator().manual_seed(0)
    )
    assert codes.shape == (4000, 2)
    with torch.no_grad():
        logits = model(torch.tensor([[2, 3, VOCABULARY.image_start]]))[0, -1]
    expected = logits[VOCABULARY.first_code :].softmax(dim=0)
    drawn = torch.bincount(codes[:, 0], minlength=5) / 4000
    torch.testing.assert_close(drawn, expected, atol=0.03, rtol=0)


def test_guidance_of_image_codes_leads_away_from_the_empty_caption():
    model = stream_model()
    captions, empty = torch.tensor([[2, 3]]), torch.tensor([0, 0])

    def draw(guidance, n=3000):
        return draw_image_codes(
            model,
            VOCABULARY,
            captions.expand(n, -1),
            1,
            generator=torch.Generator().manual_seed(1),
            guidance=guidance,
            empty=empty,
        )

    def logits(caption):
        row = torch.cat([caption, torch.tensor([VOCABULARY.image_start])])[None]
        return model(row)[0, -1, VOCABULARY.first_code :]

    with torch.no_grad():
        told, untold = logits(captions[0]), logits(empty)
    expected = (untold + 3 * (told - untold)).softmax(dim=0)
    drawn = torch.bincount(draw(3.0)[:, 0], minlength=5) / 3000
    torch.testing.assert_close(drawn, expected, atol=0.03, rtol=0)
    plain = torch.bincount(draw(1.0)[:, 0], minlength=5) / 3000
    torch.testing.assert_close(plain, told.softmax(dim=0), atol=0.03, rtol=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: k_means(torch.ones(2, 1), torch.ones(1, 1), 0), "iterations"),
        (lambda: ImageTokenizer.fit(torch.ones(1, 4, 2, 2), 5, seed=0), "from 1 to"),
        (
            lambda: ImageTokenizer(torch.ones(3, 4), 2, 2).decode(
                torch.zeros(1, 3, dtype=torch.long)
            ),
            "has 4 codes",
        ),
        (lambda: StreamVocabulary(words=0, codes=3), "at least 1"),
        (lambda: VOCABULARY.image(torch.tensor([[5]])), "codes must be from 0 to 4"),
        (
            lambda: draw_image_codes(
                stream_model(),
                VOCABULARY,
                torch.zeros(1, 2, dtype=torch.long),
                2,
                generator=torch.Generator(),
                guidance=2.0,
            ),
            "empty caption",
        ),
    ],
)
def test_wrong_arguments_of_image_tokens(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
