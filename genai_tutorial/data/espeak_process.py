"""The separate process of the speech synthesizer: requests arrive as JSON on standard
input; waves and alignments leave as one `.npz` file on standard output.

eSpeak NG keeps state from one sentence to the next, so a repeated sentence differs by a
few samples. In a new process, the same list of sentences always gives the same samples.
Nothing here imports torch or the package, so the process starts quickly.
"""

import ctypes
import io
import json
import sys

import numpy as np

SYNCHRONOUS, PHONEME_EVENTS, IPA = 2, 0x0001, 0x0002
UTF8, SPEED, PITCH = 1, 1, 3  # constants of espeak's speak_lib.h
WORD, PHONEME = 1, 7


class Identifier(ctypes.Union):
    """A number or a name, depending on the type of the event."""

    _fields_ = (("number", ctypes.c_int), ("string", ctypes.c_char * 8))


class Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", Identifier),
    )


Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


class Synthesizer:
    """The eSpeak NG library, with the samples and events of the current sentence."""

    def __init__(self):
        import espeakng_loader  # optional: the module must load without it

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate = self.library.espeak_Initialize(
            SYNCHRONOUS,
            0,
            espeakng_loader.get_data_path().encode(),
            PHONEME_EVENTS | IPA,
        )
        if self.rate <= 0:
            raise RuntimeError(f"espeak_Initialize returned {self.rate}")
        # otherwise, the noise in consonants depends on the clock
        self.library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self.waves, self.words, self.phonemes = [], [], []
        self.callback = Callback(self._receive)  # kept alive for the library
        self.library.espeak_SetSynthCallback(self.callback)

    def _receive(self, wave, count, events) -> int:
        if wave and count > 0:
            self.waves.append(np.ctypeslib.as_array(wave, (count,)).copy())
        place = 0
        while events[place].type != 0:
            event = events[place]
            if event.type == WORD:
                self.words.append((event.sample, event.text_position, event.length))
            elif event.type == PHONEME:
                self.phonemes.append(
                    (event.sample, event.id.string.decode(), len(self.words) - 1)
                )
            place += 1
        return 0

    def check(self, name: str, *arguments) -> None:
        """Call a function of the library that returns 0 on success."""
        code = getattr(self.library, name)(*arguments)
        if code != 0:
            raise RuntimeError(f"{name} returned {code} for {arguments}")

    def speak(self, text: str, voice: str, speed: int, pitch: int) -> np.ndarray:
        """Return the samples of a sentence; its events are in `words` and
        `phonemes`.
        """
        self.waves, self.words, self.phonemes = [], [], []
        self.check("espeak_SetVoiceByName", voice.encode())
        self.check("espeak_SetParameter", SPEED, speed, 0)
        self.check("espeak_SetParameter", PITCH, pitch, 0)
        sentence = text.encode() + b"\0"
        self.check("espeak_Synth", sentence, len(sentence), 0, 0, 0, UTF8, None, None)
        self.check("espeak_Synchronize")
        return np.concatenate(self.waves) if self.waves else np.zeros(0, np.int16)


def main() -> None:
    """Synthesize all requested sentences, and write their waves and events."""
    synthesizer = Synthesizer()
    waves, words, phonemes = [], [], []
    for number, request in enumerate(json.load(sys.stdin)):
        waves.append(synthesizer.speak(*request))
        words += [(number, *word) for word in synthesizer.words]
        phonemes += [(number, *phoneme) for phoneme in synthesizer.phonemes]
    file = io.BytesIO()
    np.savez(
        file,
        rate=synthesizer.rate,
        samples=np.concatenate(waves),
        lengths=np.array([len(wave) for wave in waves]),
        words=np.array(words, np.int64).reshape(-1, 4),
        phoneme_starts=np.array([row[:2] for row in phonemes], np.int64).reshape(-1, 2),
        phoneme_words=np.array([row[3] for row in phonemes], np.int64),
        phoneme_labels=np.array([row[2] for row in phonemes], "U8"),
    )
    sys.stdout.buffer.write(file.getvalue())


if __name__ == "__main__":
    main()
