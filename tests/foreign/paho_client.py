"""One visit of paho-mqtt to the sandbox: it says what it does, line by line, and fails loudly."""

import argparse
import queue
import ssl
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

PATIENCE = 10


class Client:
    def __init__(self, typed, name, will=None):
        self.events = queue.Queue()
        version = mqtt.CallbackAPIVersion.VERSION2
        client = mqtt.Client(version, client_id=f"paho-{name}", protocol=mqtt.MQTTv5)
        if typed.ca:
            context = ssl.create_default_context(cafile=typed.ca)
            context.set_alpn_protocols(["mqtt"])
            client.tls_set_context(context)
        if typed.username:
            client.username_pw_set(typed.username, typed.password)
        if will:
            client.will_set(will, b"gone", qos=1)
        put = self.events.put
        client.on_connect = lambda c, u, flags, reason, p: put(("connack", str(reason)))
        client.on_subscribe = lambda c, u, mid, reasons, p: put(("suback", [str(r) for r in reasons]))
        client.on_publish = lambda c, u, mid, reason, p: put(("published", str(reason)))
        client.on_message = lambda c, u, m: put(("message", (m.topic, m.payload, m.qos, bool(m.retain), m.properties)))
        client.connect("localhost", typed.port, keepalive=60)
        client.loop_start()
        self.client = client
        expect(self.next("connack"), "Success")

    def next(self, kind):
        """The next event of this kind; others before it are put back."""
        others = []
        while True:
            event = self.events.get(timeout=PATIENCE)
            if event[0] == kind:
                for other in others:
                    self.events.put(other)
                return event[1]
            others.append(event)

    def subscribe(self, topic, qos):
        self.client.subscribe(topic, options=SubscribeOptions(qos=qos))
        expect(self.next("suback"), [f"Granted QoS {qos}"])

    def publish(self, topic, payload, qos, retain=False):
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = [("k", "1"), ("k", "2")]
        self.client.publish(topic, payload, qos, retain, properties)
        expect(self.next("published"), "Success")

    def message(self, topic, payload, qos, retain):
        got = self.next("message")
        expect(got[:4], (topic, payload, qos, retain))
        return got[4]


def expect(got, wanted):
    if got != wanted:
        sys.exit(f"got {got!r}, not {wanted!r}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--qos", required=True)
    # Without a CA there is no TLS.
    for name in ("ca", "username", "password"):
        parser.add_argument(f"--{name}")
    typed = parser.parse_args()
    client = Client(typed, "one")
    for qos in range(int(typed.qos) + 1):
        client.subscribe(f"paho/{qos}", qos)
        client.publish(f"paho/{qos}", b"hello", qos)
        properties = client.message(f"paho/{qos}", b"hello", qos, False)
        expect(properties.UserProperty, [("k", "1"), ("k", "2")])
        print(f"qos {qos}: ok")
    client.publish("paho/kept", b"kept", 1, retain=True)
    client.subscribe("paho/kept", 1)
    client.message("paho/kept", b"kept", 1, True)
    print("retained: ok")
    client.subscribe("paho/will", 1)
    mortal = Client(typed, "mortal", will="paho/will")
    mortal.client.loop_stop()
    mortal.client.socket().close()
    client.message("paho/will", b"gone", 1, False)
    print("will: ok")
    client.client.disconnect()
    client.client.loop_stop()


main()
