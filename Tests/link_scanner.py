#!/usr/bin/env python3
"""Visits a link as scanners of mails and prefetchers of chats do. Usage: link_scanner.py URL ROOT_PEM VISITS

Eight of them at once, with usual and odd methods; they follow every link of the page, ask for the addresses of its forms, and submit no form.
Prints one JSON object: visits by method and status.
"""
import collections
import http.client
import json
import re
import ssl
import sys
import threading
import urllib.parse

METHODS = ["GET", "HEAD", "GET", "OPTIONS", "HEAD", "PROPFIND", "GET", "PUT", "TRACE", "DELETE", "PATCH", "POST", "SEARCH", "MKCOL"]
AGENTS = ["Mozilla/5.0 (compatible; scanner)", "Slackbot-LinkExpanding 1.0", "Prefetch", ""]

counts = collections.Counter()
lock = threading.Lock()


def visits(address, context, path, first, count):
    connection = http.client.HTTPSConnection(address.hostname, address.port, context=context, timeout=30)

    def ask(method, target):
        headers = {"User-Agent": AGENTS[first % len(AGENTS)], "Purpose": "prefetch", "Accept": "text/html,*/*"}
        try:
            connection.request(method, target, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            status = answer.status
        except (http.client.HTTPException, OSError):
            # A method that the server does not know may end the connection.
            connection.close()
            text, status = "", 0
        with lock:
            counts[f"{method} {status}"] += 1
        return text

    for number in range(count):
        text = ask(METHODS[(first + number) % len(METHODS)], path)
        if number % 20 == 0:
            for target in set(re.findall(r'(?:href|action)="([^"]*)"', text)):
                ask("GET", target.replace("&amp;", "&"))


def main():
    address = urllib.parse.urlsplit(sys.argv[1])
    context = ssl.create_default_context(cafile=sys.argv[2])
    each = int(sys.argv[3]) // 8
    threads = [threading.Thread(target=visits, args=(address, context, address.path, n, each)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(counts))


main()
