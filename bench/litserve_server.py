"""The same encoder in LitServe with its own batching, as its documentation has it: base64 in JSON."""

from __future__ import annotations

import base64
import os

import litserve
import numpy as np

from bench.plain_starlette import MOST, WAIT_SECONDS, decode
from bench.trivial_encoder import embed


class Api(litserve.LitAPI):  # type: ignore[misc] # it ships no types
    """Decode, batch, embed, answer."""

    def setup(self, device: str) -> None:
        """Nothing: the encoder is a function."""

    def decode_request(self, request: dict[str, str]) -> np.ndarray:
        """Base64 to pixels."""
        return decode(base64.b64decode(request["image"]))

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Pixels, uint8 (n, 16, 16, 3), to vectors."""
        return embed(np.asarray(batch))

    def encode_response(self, output: np.ndarray) -> dict[str, list[float]]:
        """The vector as JSON."""
        return {"embedding": output.tolist()}


if __name__ == "__main__":
    api = Api(max_batch_size=MOST, batch_timeout=WAIT_SECONDS, api_path="/v1/embed")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["LOOKALIKE_PORT"]),
        generate_client_file=False,
        log_level="error",
        access_log=False,
    )
