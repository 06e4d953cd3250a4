// Objects of other people's kinds, as JSON lines on standard input: prints what is wrong with each.
import { createInterface } from "node:readline";
import { GrafanaDashboard } from "@kubernetes-models/grafana-operator/grafana.integreatly.org/v1beta1";
import { PodMonitor, PrometheusRule, ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

const kinds = { GrafanaDashboard, PodMonitor, PrometheusRule, ServiceMonitor };
for await (const line of createInterface({ input: process.stdin })) {
  const object = JSON.parse(line);
  const name = `${object.kind} ${object.metadata.name}`;
  try {
    new kinds[object.kind](object).validate();
  } catch (error) {
    console.log(`${name}: ${error.message}`);
    process.exitCode = 1;
  }
}
