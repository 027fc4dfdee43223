// A custom authorizer as it is deployed to AWS Lambda: one user with one password may do what the sample does.

import { timingSafeEqual } from "node:crypto";

// In Lambda, the environment of the function; never in the code.
const passwords = new Map([["alice", process.env.ALICE_PASSWORD ?? "open-sesame"]]);

export async function handler(event) {
  const mqtt = event.protocolData.mqtt;
  // The service sends the user name as the client did, parameters and all.
  const [user] = (mqtt.username ?? "").split("?");
  const password = Buffer.from(mqtt.password ?? "", "base64");
  const expected = Buffer.from(passwords.get(user) ?? "");
  const same = password.length === expected.length && timingSafeEqual(password, expected);
  if (!same || expected.length === 0) {
    console.log(`${JSON.stringify(user)} is not who it says`);
    return { isAuthenticated: false };
  }
  return {
    isAuthenticated: true,
    principalId: user,
    policyDocuments: [policy()],
    disconnectAfterInSeconds: 86400,
    refreshAfterInSeconds: 300,
  };
}

function policy() {
  const region = process.env.AWS_REGION ?? "eu-west-1";
  const account = process.env.AWS_ACCOUNT_ID ?? "123456789012";
  const arn = (name) => `arn:aws:iot:${region}:${account}:${name}`;
  return {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "iot:Connect", Resource: arn("client/mqtt5-sample-*") },
      { Effect: "Allow", Action: "iot:Subscribe", Resource: arn("topicfilter/test/topic") },
      { Effect: "Allow", Action: ["iot:Publish", "iot:Receive"], Resource: arn("topic/test/topic") },
    ],
  };
}
