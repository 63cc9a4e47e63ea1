package codec

import "sync/atomic"

// lazy holds what is made when it is first needed: a chunk of many small
// tensors has many models, of which one read wants one. Two readers may both
// make it; the results are alike.
type lazy[T any] struct{ p atomic.Pointer[T] }

func (l *lazy[T]) get(make func() *T) *T {
	if v := l.p.Load(); v != nil {
		return v
	}
	v := make()
	l.p.Store(v)
	return v
}
