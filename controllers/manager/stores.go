package manager

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/go-logr/logr"

	"signalbox.dev/signalbox/controllers/spendbudget"
	"signalbox.dev/signalbox/controllers/stores"
)

// addStores looks after the namespaces' users outside the cluster, where the configuration names a store.
func (p *parts) addStores() error {
	configured := stores.Configured(p.options.Config)
	if len(configured) == 0 {
		return nil
	}
	reconciler := &stores.Reconciler{
		Client: p.mgr.GetClient(), Tables: p.tables, Stores: configured, Standing: p.standing, Events: p.mgr.GetEventRecorder(eventSource), Clock: p.clock,
	}
	if err := reconciler.SetupWithManager(p.mgr, p.secrets.Managed); err != nil {
		return err
	}
	upkeep := &stores.Upkeep{
		Stores: configured, Client: p.mgr.GetClient(), Live: p.mgr.GetAPIReader(), Namespaces: p.options.Config.WatchNamespaces, Clock: p.clock,
		Log: p.mgr.GetLogger().WithName("stores"),
	}
	if err := p.mgr.Add(upkeep); err != nil {
		return fmt.Errorf("adding the upkeep of stores: %w", err)
	}
	return nil
}

// ledgers are where the namespaces' ledgers are; nil for ConfigMaps.
func (p *parts) ledgers() spendbudget.Ledgers {
	if !p.options.Config.Ledger.UsesValkey() {
		return nil
	}
	log := slog.New(logr.ToSlogHandler(p.mgr.GetLogger().WithName("ledgers")))
	opened := stores.NewOpened(p.tables, log)
	return spendbudget.Stores{Of: func(ctx context.Context, namespace string) (spendbudget.Store, error) {
		store, err := opened.Of(ctx, namespace)
		if err != nil {
			return nil, err
		}
		return store, nil
	}}
}
