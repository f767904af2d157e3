from __future__ import annotations

import random
import uuid

from durable_nb.runtime.siphash import randomness_seed, siphash13


def test_the_hash_of_nothing_is_the_published_one() -> None:
    assert siphash13(b"") == 0xD1FBA762150C532C


def test_the_hash_of_a_known_text_agrees_with_the_reference_implementation() -> None:
    key = bytes(range(16))
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    # First vectors of the SipHash-1-3 reference: inputs 00, 00 01, 00 01 02, …
    expected = [0xABAC0158050FC4DC, 0xC9F49BF37D57CA93, 0x82CB9B024DC7D44D, 0x8BF80AB8E7DDF7FB]
    assert [siphash13(bytes(range(n)), k0, k1) for n in range(4)] == expected


def test_the_seed_is_an_unsigned_64_bit_integer_of_the_run_id() -> None:
    seed = randomness_seed("5b1f2c70-5d3a-4f0e-8a0b-0a1b2c3d4e5f")
    assert 0 <= seed < 2**64
    assert seed == siphash13(b"5b1f2c70-5d3a-4f0e-8a0b-0a1b2c3d4e5f\xff")
    assert seed != randomness_seed("5b1f2c70-5d3a-4f0e-8a0b-0a1b2c3d4e60")


def test_a_uuid_is_made_of_128_bits_of_the_seeded_generator() -> None:
    generator = random.Random(randomness_seed("run-1"))
    made = uuid.UUID(bytes=generator.getrandbits(128).to_bytes(16, "big"), version=4)
    assert made.version == 4
