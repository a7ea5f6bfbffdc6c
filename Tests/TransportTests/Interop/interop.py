"""Calls the server under test with grpcio and prints one line for each thing that was as it should be."""
import sys
import time

import grpc

port, directory = sys.argv[1], sys.argv[2]


def read(name):
    with open(f"{directory}/{name}", "rb") as file:
        return file.read()


def channel(user="agent", authority="ca.pem"):
    key, chain = (read(user + ".key"), read(user + ".pem")) if user else (None, None)
    credentials = grpc.ssl_channel_credentials(read(authority), key, chain)
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    return grpc.secure_channel(f"localhost:{port}", credentials, options)


def code_of(call):
    try:
        call()
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


with channel() as ch:
    check = ch.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"", timeout=10) == b"\x08\x01"
    print("health serving")
    unary = ch.unary_unary("/test.Echo/Unary")
    for size in (8, 65536, 1 << 20):
        message = bytes([7]) * size
        answer, call = unary.with_call(message, timeout=10)
        assert answer == message
        print("unary", size, call.code().name)
    stream = ch.stream_stream("/test.Echo/Stream")
    call = stream((i.to_bytes(8, "big") + bytes(2040) for i in range(2000)), timeout=30)
    assert [int.from_bytes(m[:8], "big") for m in call] == list(range(2000))
    print("stream 2000 in order", call.code().name)
    call = stream(iter(()), timeout=10)
    assert list(call) == []
    print("empty stream", call.code().name)
    call = stream((bytes([i]) * (1 << 20) for i in range(1, 5)), timeout=30)
    assert [(m[0], len(m)) for m in call] == [(i, 1 << 20) for i in range(1, 5)]
    print("1 MiB messages", call.code().name)

    def half():
        yield b"first"
        time.sleep(0.5)
        yield b"second"

    start = time.time()
    call = stream(half(), timeout=10)
    assert next(call) == b"first" and time.time() - start < 0.4
    assert next(call) == b"second"
    print("answer before the end")
    wait = ch.stream_stream("/test.Slow/Wait")
    call = wait(iter((b"x",)), timeout=10)
    call.cancel()
    print("cancelled", code_of(lambda: list(call)))
    print("deadline", code_of(lambda: list(wait(iter((b"x",)), timeout=0.3))))
    print("unknown method", code_of(lambda: ch.unary_unary("/test.Echo/Nope")(b"x", timeout=10)))
    print("too large", code_of(lambda: unary(bytes(5 << 20), timeout=10)))
    print("compressed", code_of(lambda: unary(bytes(100_000), timeout=10, compression=grpc.Compression.Gzip)))

with channel(authority="other.pem") as ch:
    print("wrong authority", code_of(lambda: ch.unary_unary("/test.Echo/Unary")(b"x", timeout=3)))

with channel(user=None) as ch:
    print("without certificate health", code_of(lambda: ch.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10)))
    print("without certificate echo", code_of(lambda: ch.unary_unary("/test.Echo/Unary")(b"x", timeout=10)))

with channel() as ch:
    print("still works", code_of(lambda: ch.unary_unary("/test.Echo/Unary")(b"x", timeout=10)))
