{{- define "signalbox.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "signalbox.selector" -}}
app.kubernetes.io/name: signalbox-manager
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "signalbox.labels" -}}
{{ include "signalbox.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: signalbox
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "signalbox.config" -}}
{{- $proxy := deepCopy .Values.proxy -}}
{{- if not (hasKey $proxy "image") -}}
{{- $_ := set $proxy "image" (include "signalbox.image" .) -}}
{{- end -}}
{{- if not (hasKey $proxy "imagePullPolicy") -}}
{{- $_ := set $proxy "imagePullPolicy" .Values.image.pullPolicy -}}
{{- end -}}
{{- $config := dict "clusterDomain" .Values.clusterDomain "proxy" $proxy "endpoints" .Values.endpoints "tokens" .Values.tokens -}}
{{- $policy := deepCopy .Values.networkPolicy -}}
{{- range $field := list "dataFrom" "metricsFrom" "egress" -}}
{{- if not (get $policy $field) -}}{{- $_ := unset $policy $field -}}{{- end -}}
{{- end -}}
{{- $_ := set $config "networkPolicy" $policy -}}
{{- $_ := set $config "ledger" (include "signalbox.ledger" . | fromYaml) -}}
{{- $_ := set $config "usage" (include "signalbox.usage" . | fromYaml) -}}
{{- with .Values.tracing -}}{{- $_ := set $config "tracing" . -}}{{- end -}}
{{- with .Values.watchNamespaces -}}{{- $_ := set $config "watchNamespaces" . -}}{{- end -}}
{{- with .Values.namespaces -}}{{- $_ := set $config "namespaces" . -}}{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "signalbox.ledger" -}}
{{- $ledger := deepCopy .Values.ledger -}}
{{- with $ledger.valkey -}}
{{- with .secret -}}
{{- with .passwordKey }}{{- $_ := set $ledger.valkey "passwordFile" (printf "/etc/signalbox-stores/ledger/%s" .) -}}{{- end -}}
{{- with .caKey }}{{- $_ := set $ledger.valkey "caFile" (printf "/etc/signalbox-stores/ledger/%s" .) -}}{{- end -}}
{{- end -}}
{{- $_ := unset $ledger.valkey "secret" -}}
{{- end -}}
{{- toYaml $ledger -}}
{{- end -}}

{{- define "signalbox.usage" -}}
{{- $usage := deepCopy .Values.usage -}}
{{- with $usage.postgres -}}
{{- $_ := set $usage.postgres "urlFile" (printf "/etc/signalbox-stores/usage/%s" .secret.urlKey) -}}
{{- with .secret.caKey }}{{- $_ := set $usage.postgres "caFile" (printf "/etc/signalbox-stores/usage/%s" .) -}}{{- end -}}
{{- $_ := unset $usage.postgres "secret" -}}
{{- end -}}
{{- toYaml $usage -}}
{{- end -}}

{{- /* The Secrets that the manager reads, by the folder below /etc/signalbox-stores that they are mounted in. */ -}}
{{- define "signalbox.storeSecrets" -}}
{{- $secrets := dict -}}
{{- with .Values.ledger.valkey }}{{- with .secret }}{{- $_ := set $secrets "ledger" .name -}}{{- end -}}{{- end -}}
{{- with .Values.usage.postgres }}{{- $_ := set $secrets "usage" .secret.name -}}{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}
