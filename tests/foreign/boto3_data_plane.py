"""boto3's client "iot-data" at the sandbox: publishes with every property, reads and lists retained messages, and prints
the name and status of each error."""

import argparse
import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def main():
    parser = argparse.ArgumentParser()
    for name in ["url", "ca", "key", "secret"]:
        parser.add_argument("--" + name, required=True)
    typed = parser.parse_args()
    client = boto3.client(
        "iot-data",
        endpoint_url=typed.url,
        region_name="eu-west-1",
        aws_access_key_id=typed.key,
        aws_secret_access_key=typed.secret,
        verify=typed.ca,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=10),
    )

    def attempt(name, **parameters):
        try:
            return getattr(client, name)(**parameters)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            print(f"{name}: {error.response['Error']['Code']} {status}")
            return None

    # The user properties are a JSON text, which boto3 encodes once more.
    properties = {
        "qos": 1,
        "retain": True,
        "payload": b"hello",
        "userProperties": json.dumps([{"k": "v"}]),
        "payloadFormatIndicator": "UTF8_DATA",
        "contentType": "text/plain",
        "responseTopic": "r/t",
        "correlationData": "aWQ=",
        "messageExpiry": 60,
    }
    for topic in ["boto/1", "boto/2"]:
        if attempt("publish", topic=topic, **properties) is None:
            return
        print(f"publish: {topic}")
    read = client.get_retained_message(topic="boto/1")
    told = [read["topic"], read["payload"].decode(), read["qos"], json.loads(read["userProperties"])]
    print(f"get_retained_message: {json.dumps(told)}")
    pages = client.get_paginator("list_retained_messages").paginate(PaginationConfig={"PageSize": 1})
    pages = [[entry["topic"] for entry in page["retainedTopics"]] for page in pages]
    print(f"list_retained_messages: {json.dumps(pages)}")
    attempt("get_retained_message", topic="none")
    attempt("publish", topic="a/+", payload=b"x")
    attempt("publish", topic="a", payload=b"x" * (128 * 1024 + 1))


main()
