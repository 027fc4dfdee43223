"""boto3's client "iot-data" at the sandbox: describes a connection, lists its subscriptions, sends its client a message, and
ends it; prints each answer, and the name and status of each error."""

import argparse
import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def main():
    parser = argparse.ArgumentParser()
    for name in ["url", "ca", "key", "secret", "client"]:
        parser.add_argument("--" + name, required=True)
    typed = parser.parse_args()
    client = boto3.client(
        "iot-data",
        endpoint_url=typed.url,
        region_name="eu-west-1",
        aws_access_key_id=typed.key,
        aws_secret_access_key=typed.secret,
        verify=typed.ca,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=20),
    )
    if not hasattr(client, "send_direct_message"):
        print("no connection API")
        return

    def attempt(name, shown=(), **parameters):
        try:
            answer = getattr(client, name)(clientId=typed.client, **parameters)
            print(f"{name}: {json.dumps([answer[member] for member in shown])}")
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            print(f"{name}: {error.response['Error']['Code']} {status}")

    socket = ["sourceIp", "targetIp"]
    attempt("get_connection", ["connected", "clientId", "cleanSession"] + socket, includeSocketInformation=True)
    attempt("list_subscriptions", ["subscriptions"], maxResults=1)
    properties = {
        "payload": b"hello",
        "userProperties": json.dumps([{"k": "v"}]),
        "payloadFormatIndicator": "UTF8_DATA",
        "contentType": "text/plain",
        "responseTopic": "r/t",
        "correlationData": "aWQ=",
    }
    attempt("send_direct_message", ["message"], topic="direct/1", confirmation=True, timeout=10, **properties)
    attempt("send_direct_message", topic="direct/+", payload=b"x")
    attempt("delete_connection", cleanSession=True, preventWillMessage=True)
    attempt("get_connection", ["connected", "disconnectReason"])
    attempt("delete_connection")
    attempt("list_subscriptions")
    attempt("send_direct_message", topic="a")


main()
