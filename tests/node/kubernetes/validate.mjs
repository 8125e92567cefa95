// Reads an object of the Prometheus operator from standard input, and says what its schema finds wrong.
import { readFileSync } from "node:fs";
import * as kinds from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

const { apiVersion, kind, ...rest } = JSON.parse(readFileSync(0, "utf8"));
const object = new kinds[kind](rest);
if (object.apiVersion !== apiVersion) throw new Error(`${kind} is not of ${apiVersion}`);
object.validate();
