import queue
import sys

from awscrt import mqtt5

messages = queue.Queue()
connected = queue.Queue()
client = mqtt5.Client(
    mqtt5.ClientOptions(
        host_name="localhost",
        port=int(sys.argv[1]) if len(sys.argv) > 1 else 1883,
        connect_options=mqtt5.ConnectPacket(client_id="hello-awscrt"),
        on_publish_callback_fn=lambda data: messages.put(data.publish_packet),
        on_lifecycle_event_connection_success_fn=connected.put,
    )
)
client.start()
connected.get(timeout=30)

subscription = mqtt5.Subscription(topic_filter="hello/+", qos=mqtt5.QoS.AT_LEAST_ONCE)
suback = client.subscribe(mqtt5.SubscribePacket(subscriptions=[subscription])).result(30)
if any(code >= 0x80 for code in suback.reason_codes):
    sys.exit(f"not subscribed: {suback.reason_codes}")

publish = mqtt5.PublishPacket(topic="hello/lamp", payload="on", qos=mqtt5.QoS.AT_LEAST_ONCE)
puback = client.publish(publish).result(30).puback
if puback.reason_code >= 0x80:
    sys.exit(f"not published: {puback.reason_code}")

message = messages.get(timeout=30)
print(message.topic, message.payload.decode())
client.stop()
