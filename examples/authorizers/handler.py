"""A custom authorizer as it is deployed to AWS Lambda: one user with one password may do what the sample does."""

import base64
import hmac
import os

# In Lambda, the environment of the function; never in the code.
PASSWORDS = {"alice": os.environ.get("ALICE_PASSWORD", "open-sesame")}


def lambda_handler(event, context):
    mqtt = event["protocolData"]["mqtt"]
    # The service sends the user name as the client did, parameters and all.
    user = mqtt.get("username", "").partition("?")[0]
    password = base64.b64decode(mqtt.get("password", ""))
    expected = PASSWORDS.get(user, "").encode()
    if not expected or not hmac.compare_digest(password, expected):
        print(f"{user!r} is not who it says")
        return {"isAuthenticated": False}
    return {
        "isAuthenticated": True,
        "principalId": user,
        "policyDocuments": [policy()],
        "disconnectAfterInSeconds": 86400,
        "refreshAfterInSeconds": 300,
    }


def policy():
    region = os.environ.get("AWS_REGION", "eu-west-1")
    account = os.environ.get("AWS_ACCOUNT_ID", "123456789012")

    def arn(name):
        return f"arn:aws:iot:{region}:{account}:{name}"

    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": arn("client/mqtt5-sample-*")},
            {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": arn("topicfilter/test/topic")},
            {
                "Effect": "Allow",
                "Action": ["iot:Publish", "iot:Receive"],
                "Resource": arn("topic/test/topic"),
            },
        ],
    }
