{{/*
The rules are those that `aws-mfa-exporter generate alerts` prints, with marks in the places of a site's settings; here the
marks become the values. Nothing else of a rule is written here.
*/}}

{{/* A duration in seconds: 36h, say. */}}
{{- define "aws-mfa-exporter.seconds" -}}
{{- $unit := regexFind "[smhd]$" . }}
{{- mul (int (trimSuffix $unit .)) (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) $unit) }}
{{- end }}

{{/* What the name of the exporter's job matches: that which the ServiceMonitor, or the PodMonitor, gives it. */}}
{{- define "aws-mfa-exporter.job" -}}
{{- default (printf "(.+/)?%s" (include "aws-mfa-exporter.fullname" .)) .Values.prometheusRule.job }}
{{- end }}

{{/* The groups of alerts, with the values in the places of the marks. */}}
{{- define "aws-mfa-exporter.ruleFile" -}}
{{- $values := .Values.prometheusRule }}
{{- $file := .Files.Get (ternary "files/alerts.yaml" "files/alerts-simple.yaml" (eq $values.set "full")) }}
{{- $file = $file | replace "https://runbooks.invalid" (default "deploy/runbooks.md" $values.runbookUrl) }}
{{- $grafana := trimSuffix "/" $values.grafanaUrl }}
{{- $file = $file | replace "https://grafana.invalid/d/" (ternary (printf "%s/d/" $grafana) "d/" (ne $grafana "")) }}
{{- $file = $file | replace "\"chart-job\"" (include "aws-mfa-exporter.job" . | quote) }}
{{- $grace := include "aws-mfa-exporter.seconds" $values.grace | int }}
{{- $file = $file | replace "time() - 2559600" (printf "time() - %d" $grace) }}
{{- $file = $file | replace "After 711 hours" (div $grace 3600 | printf "After %d hours") }}
{{- $unprotected := include "aws-mfa-exporter.seconds" $values.unprotectedGrace | int }}
{{- $file = $file | replace "time() - 2563200" (printf "time() - %d" $unprotected) }}
{{- $file = $file | replace "for: 712h" (ternary (div $unprotected 3600 | printf "for: %dh") (printf "for: %ds" $unprotected) (eq (mod $unprotected 3600) 0)) }}
{{- $new := include "aws-mfa-exporter.seconds" $values.newUnprotectedGrace | int }}
{{- $file = $file | replace "time() - 2566800" (printf "time() - %d" $new) }}
{{- $file = $file | replace "[59m]" (div (include "aws-mfa-exporter.seconds" $values.memory | int) 60 | printf "[%dm]") }}
{{- $file }}
{{- end }}

{{/* The severity of an alert on an account whose unit decides it: dict "ou" TEMPLATE OF THE UNIT "severity" ELSE "by" VALUES. */}}
{{- define "aws-mfa-exporter.severityByOu" -}}
{{- $unit := .ou | replace "{{ . }}" "{{ $ou = . }}" | replace "none" "" -}}
{{ "{{ $ou := \"\" }}" }}{{ $unit }}
{{- $else := "if" }}
{{- range $path := keys .by | sortAlpha | reverse }}
{{- printf "{{ %s match %s $ou }}%s" $else (printf "^%s(/.*)?$" (regexQuoteMeta $path) | quote) (get $.by $path) }}
{{- $else = "else if" }}
{{- end }}
{{- printf "{{ else }}%s{{ end }}" .severity }}
{{- end }}

{{/* The groups of rules of a PrometheusRule. */}}
{{- define "aws-mfa-exporter.groups" -}}
{{- $values := .Values.prometheusRule }}
{{- $groups := (include "aws-mfa-exporter.ruleFile" . | fromYaml).groups }}
{{- if and $values.accountLabels (ne $values.set "full") }}
{{- fail "prometheusRule.accountLabels needs prometheusRule.set=full, because the simple set cannot ask for labels." }}
{{- end }}
{{- if and $values.severityByOu (not (has "ou" $values.accountLabels)) }}
{{- fail "prometheusRule.severityByOu needs ou among prometheusRule.accountLabels, because the alerts must know the unit." }}
{{- end }}
{{- if eq (include "aws-mfa-exporter.configFrom" .) "values" }}
{{- $labels := dig "organization" "labels" dict .Values.config }}
{{- $exported := ternary (list "ou") list (eq (toString $labels.ou) "true") }}
{{- range default list $labels.tags }}{{ $exported = append $exported (regexReplaceAll "[^A-Za-z0-9]" . "_" | printf "tag_%s") }}{{ end }}
{{- range $values.accountLabels }}
{{- if not (has . $exported) }}
{{- fail (printf "prometheusRule.accountLabels has %s, which the exporter does not export. Set config.organization.labels, with ou: true, or tags that name the tag." .) }}
{{- end }}
{{- end }}
{{- end }}
{{- $known := list }}
{{- range $group := $groups }}
{{- $rules := list }}
{{- range $rule := $group.rules }}
{{- $isOfLabels := contains "tag_chart" $rule.expr }}
{{- $expr := $rule.expr | replace "account_id, tag_chart" (join ", " (prepend $values.accountLabels "account_id")) }}
{{- $own := dict }}
{{- if $rule.alert }}
{{- $known = append $known $rule.alert }}
{{- $own = default dict (get $values.rules $rule.alert) }}
{{- $labels := $rule.labels }}
{{- $carried := get $labels "tag_chart" }}
{{- $labels = omit $labels "tag_chart" }}
{{- if $carried }}
{{- range $values.accountLabels }}
{{- $labels = set $labels . (replace "tag_chart" . $carried) }}
{{- end }}
{{- end }}
{{- with $own.severity }}{{ $labels = set $labels "severity" . }}{{ end }}
{{- if and $carried $values.severityByOu }}
{{- $of := dict "ou" (replace "tag_chart" "ou" $carried) "severity" $labels.severity "by" $values.severityByOu }}
{{- $labels = set $labels "severity" (include "aws-mfa-exporter.severityByOu" $of) }}
{{- end }}
{{- $_ := set $rule "labels" (merge (dict) (default dict $own.labels) $labels $values.additionalRuleLabels) }}
{{- $_ := set $rule "annotations" (merge (dict) (default dict $own.annotations) $rule.annotations $values.additionalRuleAnnotations) }}
{{- with $own.for }}{{ $_ := set $rule "for" . }}{{ end }}
{{- with $own.keepFiringFor }}{{ $_ := set $rule "keep_firing_for" . }}{{ end }}
{{- with $own.expr }}{{ $expr = . }}{{ end }}
{{- end }}
{{- $_ := set $rule "expr" $expr }}
{{- if and (ne (toString $own.enabled) "false") (or $values.accountLabels (not $isOfLabels)) }}
{{- $rules = append $rules $rule }}
{{- end }}
{{- end }}
{{- $_ := set $group "rules" $rules }}
{{- end }}
{{- range $name, $_ := $values.rules }}
{{- if not (has $name $known) }}
{{- fail (printf "prometheusRule.rules has %s, which is no alert of the set. The alerts are: %s." $name (join ", " $known)) }}
{{- end }}
{{- end }}
{{- if $values.recording }}
{{- $groups = concat $groups (.Files.Get "files/recording.yaml" | fromYaml).groups }}
{{- end }}
{{- toYaml $groups }}
{{- end }}
