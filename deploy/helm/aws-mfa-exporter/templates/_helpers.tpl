{{/* The chart's name, or what replaces it. */}}
{{- define "aws-mfa-exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of the objects: at most 52 letters, because a pod's name is longer by its number and a revision's label by more. */}}
{{- define "aws-mfa-exporter.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := include "aws-mfa-exporter.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "aws-mfa-exporter.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "aws-mfa-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "aws-mfa-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "aws-mfa-exporter.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "aws-mfa-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "aws-mfa-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "aws-mfa-exporter.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "aws-mfa-exporter.image" -}}
{{- $image := .Values.image }}
{{- $name := $image.repository }}
{{- with $image.registry }}{{ $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{ end }}
{{- if $image.digest }}
{{- printf "%s@%s" $name $image.digest }}
{{- else }}
{{- printf "%s:%s" $name (default .Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}

{{/* Which object holds the configuration: "", "values", "secret" or "configMap". */}}
{{- define "aws-mfa-exporter.configFrom" -}}
{{- $given := list }}
{{- if .Values.config }}{{ $given = append $given "values" }}{{ end }}
{{- if .Values.existingConfigSecret }}{{ $given = append $given "secret" }}{{ end }}
{{- if .Values.existingConfigMap }}{{ $given = append $given "configMap" }}{{ end }}
{{- if gt (len $given) 1 }}
{{- fail "Set one of config, existingConfigSecret and existingConfigMap, because the exporter reads one file." }}
{{- end }}
{{- first (append $given "") }}
{{- end }}

{{/* The key of the configuration, which is its file's name. */}}
{{- define "aws-mfa-exporter.configKey" -}}
{{- ternary "config.yml" .Values.existingConfigKey (eq (include "aws-mfa-exporter.configFrom" .) "values") }}
{{- end }}

{{/* The web configuration that is made of values, as YAML: what is written there, and the certificate of the TLS secret. */}}
{{- define "aws-mfa-exporter.webConfig" -}}
{{- $web := deepCopy .Values.web.config }}
{{- if and $web .Values.web.existingConfigSecret }}
{{- fail "Set one of web.config and web.existingConfigSecret, because the exporter reads one file." }}
{{- end }}
{{- if and .Values.web.tlsSecretName (not .Values.web.existingConfigSecret) }}
{{- $files := dict "cert_file" "/etc/aws-mfa-exporter/tls/tls.crt" "key_file" "/etc/aws-mfa-exporter/tls/tls.key" }}
{{- $_ := set $web "tls_server_config" (merge (default dict $web.tls_server_config) $files) }}
{{- end }}
{{- with $web }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* HTTP or HTTPS. */}}
{{- define "aws-mfa-exporter.scheme" -}}
{{- $web := include "aws-mfa-exporter.webConfig" . | fromYaml }}
{{- if .Values.web.scheme }}
{{- .Values.web.scheme }}
{{- else if .Values.web.existingConfigSecret }}
{{- fail "Set web.scheme to HTTP or HTTPS, because the chart cannot read web.existingConfigSecret." }}
{{- else }}
{{- ternary "HTTPS" "HTTP" (hasKey $web "tls_server_config") }}
{{- end }}
{{- end }}

{{/* Not empty where a kubelet would be refused: passwords or client certificates are asked for, or may be. */}}
{{- define "aws-mfa-exporter.asksWho" -}}
{{- $web := include "aws-mfa-exporter.webConfig" . | fromYaml }}
{{- $clients := dig "tls_server_config" "client_auth_type" "" $web }}
{{- if or .Values.web.existingConfigSecret $web.basic_auth_users (hasPrefix "Require" $clients) }}yes{{ end }}
{{- end }}

{{/* The handler of a probe: dict "context" . "path" PATH "values" VALUES. */}}
{{- define "aws-mfa-exporter.probe" -}}
{{- if .values }}
{{- toYaml .values }}
{{- else if include "aws-mfa-exporter.asksWho" .context }}
tcpSocket:
  port: metrics
{{- else }}
httpGet:
  path: {{ .path }}
  port: metrics
  scheme: {{ include "aws-mfa-exporter.scheme" .context }}
{{- end }}
{{- end }}

{{/* An endpoint of a ServiceMonitor or PodMonitor: dict "context" . "monitor" VALUES. */}}
{{- define "aws-mfa-exporter.endpoint" -}}
port: metrics
path: {{ .context.Values.web.telemetryPath }}
scheme: {{ include "aws-mfa-exporter.scheme" .context | lower }}
interval: {{ .monitor.interval }}
scrapeTimeout: {{ .monitor.scrapeTimeout }}
{{- with .monitor.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
