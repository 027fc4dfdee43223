"""AWS's SDK for Python over WebSocket with a custom authorizer: connects, subscribes, publishes, prints the message."""

import argparse
import concurrent.futures
import os

from awscrt import mqtt5
from awsiot import mqtt5_client_builder

TIMEOUT = 20


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    for name in ["ca", "authorizer", "username", "password", "token-key", "token", "signature"]:
        parser.add_argument("--" + name)
    typed = parser.parse_args()

    connected = concurrent.futures.Future()
    received = concurrent.futures.Future()
    stopped = concurrent.futures.Future()

    def failed(data):
        if not connected.done():
            connack = data.connack_packet
            connected.set_result(f"refused: {connack.reason_code.name if connack else data.exception}")

    def succeeded(data):
        connected.set_result(None)

    def message(data):
        packet = data.publish_packet
        received.set_result(f"received: {packet.topic} {packet.payload.decode()}")

    client = mqtt5_client_builder.websockets_with_custom_authorizer(
        endpoint="localhost",
        port=typed.port,
        ca_filepath=typed.ca,
        client_id=f"mqtt5-sample-{os.getpid()}",
        auth_authorizer_name=typed.authorizer,
        auth_username=typed.username,
        auth_password=typed.password,
        auth_token_key_name=typed.token_key,
        auth_token_value=typed.token,
        auth_authorizer_signature=typed.signature,
        on_lifecycle_connection_success=succeeded,
        on_lifecycle_connection_failure=failed,
        on_publish_received=message,
        on_lifecycle_stopped=lambda data: stopped.set_result(None),
    )
    client.start()
    refusal = connected.result(TIMEOUT)
    if refusal is None:
        subscription = mqtt5.Subscription(topic_filter="test/topic", qos=mqtt5.QoS.AT_LEAST_ONCE)
        client.subscribe(mqtt5.SubscribePacket(subscriptions=[subscription])).result(TIMEOUT)
        publish = mqtt5.PublishPacket(topic="test/topic", payload="hello", qos=mqtt5.QoS.AT_LEAST_ONCE)
        client.publish(publish).result(TIMEOUT)
    print(refusal or received.result(TIMEOUT))
    client.stop()
    stopped.result(TIMEOUT)


main()
