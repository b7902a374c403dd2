package dataplane

import (
	"crypto/tls"
	"time"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/table"
)

// tlsConfig serves the platform's certificate, and to the proxies of other namespaces, who ask for the name of the control port, the one that their tables have.
func (d *DataPlane) tlsConfig() *tls.Config {
	config := d.certificate.Config()
	platforms := config.GetCertificate
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if called := d.called.Load(); called != nil && hello.ServerName == control.ServerName {
			return called.Certificate(time.Now()), nil
		}
		return platforms(hello)
	}
	return config
}

// takeCalled takes up what other namespaces' proxies are answered with.
func (d *DataPlane) takeCalled(t *table.Table) {
	if d.tlsListener == nil {
		return
	}
	called, err := control.NewCalled(t.Control)
	if err != nil {
		d.options.Log.Error("proxies of other namespaces are answered as before", "sequence", t.Sequence, "error", err)
		return
	}
	d.called.Store(called)
}
