"""Watches the console's live stream as several viewers, each with a token of its own.

Usage: console_live.py URL CA TOKEN... : prints one line an event of each viewer: VIEWER.EVENT SECONDS NAME DATA, counted from 0;
SECONDS since 1970 when it came. Ends when all streams have ended.
"""
import http.client
import ssl
import sys
import threading
import time
import urllib.parse


def watch(number, url, authority, token):
    context = ssl.create_default_context(cafile=authority)
    connection = http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=120)
    connection.request("GET", "/api/v1/live", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    count = 0

    def say(*words):
        nonlocal count
        print(f"{number}.{count}", time.time(), *words, flush=True)
        count += 1

    event = ""
    try:
        for line in iter(answer.readline, b""):
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                event = text[7:]
            elif text.startswith("data: "):
                say(event, text[6:])
    except (OSError, http.client.HTTPException) as error:
        say("broken", error)
    say("closed", answer.status)


def main():
    url = urllib.parse.urlparse(sys.argv[1])
    threads = [
        threading.Thread(target=watch, args=(number, url, sys.argv[2], token))
        for number, token in enumerate(sys.argv[3:])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
