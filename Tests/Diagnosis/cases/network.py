"""Services that do not answer, refuse or do not know: network, certificates, logins, limits, databases."""

from corpus import documented, fails

NO_NETWORK = "exec unshare --net {python} -u {program} > logs/train.log 2>&1"

# network
fails("name-resolution", "network", """
import urllib.request
from fieldkit import steps
steps(3)
urllib.request.urlopen("http://datasets.example.org/train.tar")
""", r"Temporary failure in name resolution|Name or service not known", start=NO_NETWORK)
fails("requests-retries", "network", """
import requests
from fieldkit import free_port, steps
steps(3)
requests.get(f"http://127.0.0.1:{free_port()}/api/runs")
""", r"requests\.exceptions\.ConnectionError: .*Max retries exceeded", needs="requests", trainer="mlflow", start="script")
fails("connection-refused", "network", """
import socket
from fieldkit import free_port, steps
steps(3)
socket.create_connection(("127.0.0.1", free_port()), timeout=5)
""", r"ConnectionRefusedError: \[Errno 111\]")
fails("connection-reset", "network", """
import socket, struct, threading
from fieldkit import steps
steps(2)
server = socket.create_server(("127.0.0.1", 0))
def cut():
    peer, _ = server.accept()
    peer.recv(1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
threading.Thread(target=cut, daemon=True).start()
with socket.create_connection(server.getsockname()) as feed:
    feed.sendall(b"GET")
    while True:
        feed.recv(100) or feed.sendall(b"x")
""", r"ConnectionResetError: \[Errno 104\]", start="split")
fails("broken-pipe-remote", "network", """
import http.client
from fieldkit import serve, steps
steps(2)
client = http.client.HTTPConnection(serve(cut=True).removeprefix("http://"))
client.request("GET", "/shard-1")
client.getresponse()
""", r"http\.client\.RemoteDisconnected: Remote end closed connection")
fails("network-unreachable", "network", """
import socket
from fieldkit import configure_logging, steps
log = configure_logging()
steps(2, form="log")
try:
    socket.create_connection(("10.255.1.1", 80), timeout=3)
except OSError as error:
    log.critical("cannot reach the parameter server: %s", error)
    raise SystemExit(1)
""", r"Network is unreachable", start=NO_NETWORK)
fails("curl-refused", "network", """
set -e
echo "step 1 loss 2.31"
sleep 3
python3 - <<'END'
import urllib.request
urllib.request.urlopen("http://127.0.0.1:9/weights.safetensors")
END
""", r"Connection refused", start="shell", language="sh", trainer="shell")

# certificate
fails("certificate-self-signed", "certificate", """
import urllib.request
from fieldkit import self_signed, serve, steps
url = serve(certificate=self_signed())
steps(3)
urllib.request.urlopen(url.replace("127.0.0.1", "localhost"))
""", r"CERTIFICATE_VERIFY_FAILED", family="network")
fails("certificate-requests", "certificate", """
import requests
from fieldkit import self_signed, serve, steps
url = serve(certificate=self_signed())
steps(2)
requests.get(url.replace("127.0.0.1", "localhost"))
""", r"CERTIFICATE_VERIFY_FAILED", needs="requests", family="network", trainer="wandb", start="script")
fails("certificate-name", "certificate", """
import ssl, urllib.request
from fieldkit import self_signed, serve, steps
path = self_signed("gpu-store.example.org")
url = serve(certificate=path)
steps(3)
urllib.request.urlopen(url.replace("127.0.0.1", "localhost"), context=ssl.create_default_context(cafile=path + ".crt"))
""", r"Hostname mismatch", family="network")

# authentication, rate-limit, remote-missing
fails("http-401", "authentication", """
import urllib.request
from fieldkit import serve, steps
url = serve(401)
steps(3)
urllib.request.urlopen(url + "/api/v1/runs")
""", r"HTTP Error 401: Unauthorized", family="network")
fails("http-403", "authentication", """
import requests
from fieldkit import serve, steps
url = serve(403)
steps(2)
requests.get(url + "/datasets/private").raise_for_status()
""", r"403 Client Error: Forbidden", needs="requests", trainer="huggingface", family="network", start="script")
fails("http-429", "rate-limit", """
import requests
from fieldkit import serve, steps
url = serve(429, headers=[("Retry-After", "60")])
steps(2)
requests.get(url + "/v1/completions").raise_for_status()
""", r"429 Client Error: Too Many Requests", needs="requests", trainer="trl", family="network")
fails("http-429-retries", "rate-limit", """
import time, urllib.error, urllib.request
from fieldkit import configure_logging, serve, steps
log = configure_logging()
url = serve(429)
steps(1, form="log")
for attempt in range(1, 4):
    try:
        urllib.request.urlopen(url + "/score")
    except urllib.error.HTTPError as error:
        log.warning("attempt %d of 3: %s", attempt, error)
        time.sleep(0.5)
        if attempt == 3:
            raise
""", r"HTTP Error 429: Too Many Requests", family="network")
fails("http-404", "remote-missing", """
import urllib.request
from fieldkit import serve, steps
url = serve(404)
steps(3)
urllib.request.urlopen(url + "/weights/model-00003.safetensors")
""", r"HTTP Error 404: Not Found", family="network missing-file")
fails("http-404-requests", "remote-missing", """
import requests
from fieldkit import serve, steps
url = serve(404)
steps(2)
requests.get(url + "/resolve/main/config.json").raise_for_status()
""", r"404 Client Error: Not Found", needs="requests", trainer="huggingface", family="network", start="split")
fails("http-500", "network", """
import urllib.request
from fieldkit import serve, steps
url = serve(503)
steps(3)
urllib.request.urlopen(url + "/reward")
""", r"HTTP Error 503: Service Unavailable", trainer="trl")
documented("hf-gated", "authentication", """
Traceback (most recent call last):
  File "/opt/venv/lib/python3.10/site-packages/huggingface_hub/utils/_http.py", line 409, in hf_raise_for_status
    response.raise_for_status()
requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: https://huggingface.co/meta-llama/Llama-3.1-8B/resolve/main/config.json

The above exception was the direct cause of the following exception:

huggingface_hub.errors.GatedRepoError: 403 Client Error. (Request ID: Root=1-67)

Cannot access gated repo for url https://huggingface.co/meta-llama/Llama-3.1-8B/resolve/main/config.json.
Access to model meta-llama/Llama-3.1-8B is restricted and you are not in the authorized list. Visit https://huggingface.co/meta-llama/Llama-3.1-8B to ask for access.
""", r"GatedRepoError|Cannot access gated repo", "huggingface_hub: src/huggingface_hub/errors.py", trainer="huggingface", family="network")
documented("hf-repository-missing", "remote-missing", """
Traceback (most recent call last):
  File "train.py", line 12, in <module>
    model = AutoModelForCausalLM.from_pretrained("meta-llama/Lama-3-8B")
huggingface_hub.errors.RepositoryNotFoundError: 404 Client Error. (Request ID: Root=1-6a2;b)

Repository Not Found for url: https://huggingface.co/meta-llama/Lama-3-8B/resolve/main/config.json.
Please make sure you specified the correct `repo_id` and `repo_type`.
""", r"RepositoryNotFoundError: 404", "huggingface_hub: src/huggingface_hub/errors.py", trainer="huggingface", family="authentication network")
documented("s3-no-key", "remote-missing", """
Traceback (most recent call last):
  File "train.py", line 31, in fetch
    s3.download_file(bucket, key, target)
botocore.errorfactory.NoSuchKey: An error occurred (NoSuchKey) when calling the GetObject operation: The specified key does not exist.
""", r"NoSuchKey", "botocore: botocore/exceptions.py", trainer="python", family="network missing-file")
documented("s3-no-credentials", "authentication", """
Traceback (most recent call last):
  File "train.py", line 31, in fetch
    s3.download_file(bucket, key, target)
  File "/opt/venv/lib/python3.10/site-packages/botocore/auth.py", line 418, in add_auth
    raise NoCredentialsError()
botocore.exceptions.NoCredentialsError: Unable to locate credentials
""", r"NoCredentialsError: Unable to locate credentials", "botocore: botocore/exceptions.py")
documented("wandb-key", "authentication", """
wandb: ERROR api_key not configured (no-tty). call wandb.login(key=[your_api_key])
Traceback (most recent call last):
  File "train.py", line 18, in <module>
    wandb.init(project="ppo")
wandb.errors.errors.UsageError: api_key not configured (no-tty). call wandb.login(key=[your_api_key])
""", r"api_key not configured", "wandb: wandb/sdk/wandb_login.py", trainer="cleanrl")
documented("openai-rate-limit", "rate-limit", """
Traceback (most recent call last):
  File "rollout.py", line 77, in score
    response = client.chat.completions.create(model=judge, messages=messages)
openai.RateLimitError: Error code: 429 - {'error': {'message': 'Rate limit reached for requests', 'type': 'requests', 'code': 'rate_limit_exceeded'}}
""", r"openai\.RateLimitError: Error code: 429", "openai-python: src/openai/_exceptions.py", trainer="trl")

# database
fails("sqlite-locked", "database", """
import sqlite3
from fieldkit import steps
one = sqlite3.connect("optuna.db", isolation_level=None)
one.execute("create table trials (id int)")
one.execute("begin exclusive")
steps(2)
sqlite3.connect("optuna.db", timeout=0.5).execute("insert into trials values (1)")
""", r"sqlite3\.OperationalError: database is locked", trainer="optuna")
fails("sqlite-malformed", "database", """
import sqlite3
from fieldkit import steps
open("study.db", "wb").write(b"SQLite format 3\\0" + b"x" * 4000)
steps(2)
sqlite3.connect("study.db").execute("select * from trials")
""", r"sqlite3\.DatabaseError: ", trainer="optuna", family="data-corrupt", start="script")
fails("sqlite-no-table", "database", """
import sqlite3
from fieldkit import steps
steps(2)
sqlite3.connect("study.db").execute("select * from trials")
""", r"sqlite3\.OperationalError: no such table: trials", trainer="optuna", start="tee")
fails("psycopg-refused", "database", """
import psycopg2
from fieldkit import free_port, steps
steps(2)
psycopg2.connect(host="127.0.0.1", port=free_port(), dbname="features", user="trainer")
""", r"psycopg2\.OperationalError: connection to server at \"127\.0\.0\.1\"", needs="psycopg2", trainer="python", family="network")
fails("sqlalchemy-refused", "database", """
import sqlalchemy
from fieldkit import free_port, steps
steps(2)
sqlalchemy.create_engine(f"postgresql+psycopg2://trainer@127.0.0.1:{free_port()}/optuna").connect()
""", r"sqlalchemy\.exc\.OperationalError: \(psycopg2\.OperationalError\)", needs="psycopg2 sqlalchemy", trainer="optuna", start="split", family="network")
documented("postgres-too-many", "database", """
Traceback (most recent call last):
  File "train.py", line 40, in <module>
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
psycopg2.OperationalError: connection to server at "10.0.0.4", port 5432 failed: FATAL:  sorry, too many clients already
""", r"sorry, too many clients already", "postgresql: src/backend/storage/lmgr/proc.c", trainer="python", family="network")
