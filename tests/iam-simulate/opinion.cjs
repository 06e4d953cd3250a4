// Tells which calls of a user are not denied: one question a line in, one answer a line out, in JSON.
// A question has the documents of the user's policies and of its permissions boundary, what else is in the
// request, and actions with their resources to try in each context; "some" contexts are left at the first action that is allowed.
const { createInterface } = require('node:readline')
const { createRequire } = require('node:module')
const { join } = require('node:path')
const { runSimulation } = createRequire(join(process.env.TEST_NODE_MODULES, 'opinion.cjs'))('@cloud-copilot/iam-simulate')

const account = '123456789012'
const user = `arn:aws:iam::${account}:user/alice`
// A role says whom it trusts, and a key who may use it: here both leave it to the policies of the account, as AWS's default
// key policy does. Without that nobody is let use them, whatever policies a user has.
const delegated = (action, resource) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: action, ...resource }]
})
const resourcePolicies = {
  'kms:decrypt': delegated('kms:*', { Resource: '*' }),
  'sts:assumerole': delegated('sts:AssumeRole', {})
}
const contexts = { console: { 'aws:MultiFactorAuthPresent': 'false' }, key: {} }

async function isAllowed(question, context, action, resource) {
  const named = (policies) => policies.map((policy, at) => ({ name: `p${at}`, policy }))
  const simulation = {
    request: {
      principal: user,
      action,
      resource: { resource, accountId: account },
      contextVariables: { ...contexts[context], 'aws:username': 'alice', 'aws:ViaAWSService': 'false', ...question.more }
    },
    identityPolicies: named(question.identity),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    resourcePolicy: resourcePolicies[action],
    permissionBoundaryPolicies: question.boundary.length ? named(question.boundary) : undefined
  }
  const result = await runSimulation(simulation, {})
  if (result.resultType === 'error') throw new Error(JSON.stringify(result.errors))
  return result.overallResult === 'Allowed'
}

async function answer(question) {
  const allowed = { console: [], key: [] }
  for (const [kind, names] of [['all', question.all], ['some', question.some]]) {
    for (const context of names) {
      for (const [action, resource] of question.actions) {
        if (kind === 'some' && allowed[context].length) break
        if (await isAllowed(question, context, action, resource)) allowed[context].push(action)
      }
    }
  }
  return allowed
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    const said = await answer(JSON.parse(line)).catch((error) => ({ error: String(error.message) }))
    process.stdout.write(JSON.stringify(said) + '\n')
  }
}

main()
