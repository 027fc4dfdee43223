// In the form of AWS's documented Node sample of a custom authorizer: CommonJS, a callback, and a denial by policy.
exports.handler = function (event, context, callback) {
  console.log(JSON.stringify(event));
  var mqtt = event.protocolData.mqtt;
  var uname = mqtt.username.split("?")[0];
  var pwd = Buffer.from(mqtt.password, "base64").toString("utf8");
  switch (pwd) {
    case "open-sesame":
      callback(null, generateAuthResponse(uname, context, "Allow"));
      break;
    default:
      callback(null, generateAuthResponse(uname, context, "Deny"));
  }
};

var generateAuthResponse = function (principal, context, effect) {
  var account = context.invokedFunctionArn.split(":")[4];
  var base = "arn:aws:iot:" + process.env.AWS_REGION + ":" + account + ":";
  var authResponse = {};
  authResponse.isAuthenticated = true;
  authResponse.principalId = principal;
  var policyDocument = {};
  policyDocument.Version = "2012-10-17";
  policyDocument.Statement = [];
  policyDocument.Statement.push({ Action: ["iot:Connect"], Effect: effect, Resource: [base + "client/mqtt5-sample-*"] });
  policyDocument.Statement.push({
    Action: ["iot:Publish", "iot:Receive"],
    Effect: effect,
    Resource: [base + "topic/test/topic"],
  });
  policyDocument.Statement.push({ Action: ["iot:Subscribe"], Effect: effect, Resource: [base + "topicfilter/test/topic"] });
  authResponse.policyDocuments = [policyDocument];
  authResponse.disconnectAfterInSeconds = 3600;
  authResponse.refreshAfterInSeconds = 300;
  return authResponse;
};
