// An ES module with an async handler, as AWS's console makes new functions.
import { Buffer } from "node:buffer";

export const handler = async (event, context) => {
  console.log("request", context.awsRequestId, "has", context.getRemainingTimeInMillis(), "ms left");
  const { username, password } = event.protocolData.mqtt;
  const isAlice = username.startsWith("alice?") && Buffer.from(password, "base64").toString() === "open-sesame";
  if (!isAlice) {
    return { isAuthenticated: false, context: {} };
  }
  const allow = (Action, name) => ({ Effect: "Allow", Action, Resource: `arn:aws:iot:*:*:${name}` });
  return {
    isAuthenticated: true,
    principalId: "alice",
    policyDocuments: [
      {
        Version: "2012-10-17",
        Statement: [
          allow("iot:Connect", "client/mqtt5-sample-*"),
          allow(["iot:Publish", "iot:Receive"], "topic/test/topic"),
          allow("iot:Subscribe", "topicfilter/test/topic"),
        ],
      },
    ],
  };
};
