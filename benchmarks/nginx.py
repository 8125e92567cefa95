"""nginx, twice: as the static upstream that answers at once, and as the proxy to compare with."""

from pathlib import Path

ANSWER = (
    '{"id":"chatcmpl-1","object":"chat.completion","created":1741879542,"model":"gpt-4o-mini","choices":'
    '[{"index":0,"message":{"role":"assistant","content":"Of three promises, consistency, availability and '
    "tolerance of partitions, a store that spans machines can keep two at a time; which two is the choice "
    'that its users live with."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":40,'
    '"completion_tokens":40,"total_tokens":80},"system_fingerprint":"fp_1"}'
)
_CONFIGURATION = """
worker_processes 1;
daemon off;
pid {folder}/{name}.pid;
error_log {folder}/{name}.log;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_requests 100000000;
    client_body_buffer_size 2m;
    client_max_body_size 64m;
    client_body_temp_path {folder}/{name}.body;
    proxy_temp_path {folder}/{name}.proxy;
    fastcgi_temp_path {folder}/{name}.fastcgi;
    uwsgi_temp_path {folder}/{name}.uwsgi;
    scgi_temp_path {folder}/{name}.scgi;
    {upstream}
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        {locations}
    }}
}}
"""
_PROXY = """location / {
            proxy_pass http://upstream;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer sk-bench";
        }"""
_MODELS = '{"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1,"owned_by":"bench"}]}'


def static_upstream(folder: Path, port: int) -> list[str]:
    """Return the command of an nginx that answers everything with one chat completion."""
    locations = f"location / {{ return 200 '{ANSWER}'; }} location /v1/models {{ return 200 '{_MODELS}'; }}"
    return _command(folder, f"static-{port}", port, upstream="", locations=locations)


def proxy(folder: Path, port: int, *, upstream: int) -> list[str]:
    """Return the command of an nginx that passes everything to a port, over connections that it keeps."""
    pool = f"server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 100000000;"
    return _command(
        folder, f"proxy-{port}", port, upstream=f"upstream upstream {{ {pool} }}", locations=_PROXY
    )


def _command(folder: Path, name: str, port: int, *, upstream: str, locations: str) -> list[str]:
    path = folder / f"{name}.conf"
    path.write_text(
        _CONFIGURATION.format(folder=folder, name=name, port=port, upstream=upstream, locations=locations)
    )
    return ["nginx", "-e", str(folder / f"{name}.log"), "-c", str(path)]
