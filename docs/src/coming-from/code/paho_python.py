import sys

import paho.mqtt.client as mqtt


def on_connect(client, userdata, flags, reason_code, properties):
    if reason_code.is_failure:
        sys.exit(f"refused: {reason_code}")
    client.subscribe("hello/+", qos=1)


def on_subscribe(client, userdata, mid, reason_codes, properties):
    if any(code.is_failure for code in reason_codes):
        sys.exit(f"not subscribed: {reason_codes}")
    client.publish("hello/lamp", "on", qos=1)


def on_message(client, userdata, message):
    print(message.topic, message.payload.decode())
    client.disconnect()


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="hello-paho", protocol=mqtt.MQTTv5)
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.connect("localhost", int(sys.argv[1]) if len(sys.argv) > 1 else 1883)
client.loop_forever()
