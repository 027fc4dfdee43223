"""AWS's SDK for Python over WebSocket signed by SigV4 with static credentials: connects, subscribes, publishes, prints the
message."""

import argparse
import concurrent.futures
import os

from awscrt import auth, mqtt5
from awsiot import mqtt5_client_builder

TIMEOUT = 20


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    for name in ["ca", "key", "secret", "session-token"]:
        parser.add_argument("--" + name)
    typed = parser.parse_args()

    connected = concurrent.futures.Future()
    received = concurrent.futures.Future()
    stopped = concurrent.futures.Future()

    def failed(data):
        if not connected.done():
            connack = data.connack_packet
            connected.set_result(f"refused: {connack.reason_code.name if connack else data.exception.name}")

    def succeeded(data):
        if not connected.done():
            connected.set_result(None)

    def message(data):
        packet = data.publish_packet
        received.set_result(f"received: {packet.topic} {packet.payload.decode()}")

    client = mqtt5_client_builder.websockets_with_default_aws_signing(
        region="eu-west-1",
        credentials_provider=auth.AwsCredentialsProvider.new_static(typed.key, typed.secret, typed.session_token),
        endpoint="localhost",
        port=typed.port,
        ca_filepath=typed.ca,
        client_id=f"signed-{os.getpid()}",
        on_lifecycle_connection_success=succeeded,
        on_lifecycle_connection_failure=failed,
        on_publish_received=message,
        on_lifecycle_stopped=lambda data: stopped.set_result(None),
    )
    client.start()
    refusal = connected.result(TIMEOUT)
    if refusal is None:
        subscription = mqtt5.Subscription(topic_filter="any/topic", qos=mqtt5.QoS.AT_LEAST_ONCE)
        client.subscribe(mqtt5.SubscribePacket(subscriptions=[subscription])).result(TIMEOUT)
        publish = mqtt5.PublishPacket(topic="any/topic", payload="hello", qos=mqtt5.QoS.AT_LEAST_ONCE)
        client.publish(publish).result(TIMEOUT)
    print(refusal or received.result(TIMEOUT))
    client.stop()
    stopped.result(TIMEOUT)


main()
